// SPDX-License-Identifier: Apache-2.0
// RootKind::overlay: the kernel's overlayfs over a mounted image (Linux,
// Documentation/filesystems/overlayfs.rst), with a container's upper directory in the format the
// union's server has.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// Whose rights overlayfs acts with: those of the initial user namespace write "trusted." marks and
// can rename an image's directories; others write "user." marks and cannot.
enum class OverlayRights { trusted, user };

// A detached overlay mount. `image` and `changes` are detached mounts, too: the lower side, and a
// directory with "upper" and "work". Meanwhile they are attached to "/" of the caller's mount
// namespace, which must be one of its own. Blocks until `image` is served. Errors: the call is
// "overlay", the subject says all.
Result<Fd> mount_overlay(const Fd& image, const Fd& changes, OverlayRights rights, bool durable);

struct Apart {
  std::string path;       // where the changes are
  uint32_t root_uid = 0;  // the host's ids of the container's root
  uint32_t root_gid = 0;
  bool durable = true;
};
// The same by a process with a mount namespace of its own, with the caller's rights, over changes
// that are shown with the ids of `user_namespace`.
Result<Fd> mount_overlay_apart(const Fd& image, const Apart& apart, const Fd& user_namespace);

}  // namespace lyr::sandbox
