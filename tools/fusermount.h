// SPDX-License-Identifier: Apache-2.0
// Mounts and unmounts for who may not do it himself: by fusermount3, the setuid program of libfuse.
// What that says when it fails is the error.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::tools {

// fusermount3 opens /dev/fuse and mounts it on `target`: the descriptor. `options` are its words
// after -o. ENOENT: there is no such program.
Result<Fd> mount_by_fusermount(const std::string& options, const std::string& target);

// umount2(2), and where that is EPERM fusermount3. `lazy`: who is inside may stay. EINVAL: nothing
// is mounted there; EBUSY: somebody uses it; what fusermount3 refuses is EPERM. Any thread may call
// it but one that serves the mount.
Result<> unmount(const std::string& target, bool lazy);

}  // namespace lyr::tools
