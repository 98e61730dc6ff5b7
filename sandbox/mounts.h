// SPDX-License-Identifier: Apache-2.0
// The mounts of a container, made by descriptor and put onto pinned descriptors. Runs in the child,
// after attach_root() and before pivot_into(), while the host's own tree is still in reach.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/preparation.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// What later steps need of what was mounted; empty where the spec has no such mount.
struct Mounted {
  Fd proc;
  Fd dev;
  Fd pts;
};

// Soft failures (a sysfs or cgroup that is not ours to mount) are told on `channel` as warnings.
Result<Mounted> make_mounts(const Spec& spec, Preparation& preparation, const Fd& root,
                            const Fd& channel);

// A new file system of `type`, detached.
Result<Fd> make_file_system(const char* type, const Mount& mount, const Spec& spec);

}  // namespace lyr::sandbox
