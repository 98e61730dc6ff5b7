// SPDX-License-Identifier: Apache-2.0
// The container's root file system: mounted detached, put over the old root, and pivoted into, so
// that nothing of the host's mount tree stays in reach. Runs in the child.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/preparation.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// /dev/fuse, which must be opened in the user namespace that mounts it (fuse_get_tree compares),
// and before our ids change: /dev/fuse is often root's alone.
Result<Fd> open_fuse_device();
// An image that only overlayfs reads is mounted read-only: elsewhere the kernel takes every read
// and every listing for a new access time, and asks for the attributes again
// (fuse_invalidate_atime).
enum class FuseAccess { read_write, read_only };
Result<Fd> mount_fuse(const Fd& device, FuseAccess access);

// The detached mount of spec.root_path: the prepared one, or our own.
Result<Fd> mount_directory(const Spec& spec, Preparation& preparation);

// Attaches `root` over the old root. Nothing of `root` is looked up.
Result<> attach_root(const Fd& root);
// Makes `root` "/" and drops the old tree.
Result<> pivot_into(const Fd& root);

}  // namespace lyr::sandbox
