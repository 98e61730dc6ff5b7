// SPDX-License-Identifier: Apache-2.0
// mount(8)'s options sorted by who takes them: the mount, its propagation, or the file system.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lyr::sandbox {

struct MountOptions {
  uint64_t set = 0;  // MOUNT_ATTR_*
  uint64_t clear = 0;
  uint64_t propagation = MS_PRIVATE;  // or MS_SLAVE
  bool bind = false;
  bool recursive = false;  // rbind
  bool idmap = true;       // "noidmap" keeps the host's ids in sight
  // The rest, for fsconfig: "size" = "64m"; an empty value is a flag.
  std::vector<std::pair<std::string, std::string>> parameters;
};

// EINVAL: shared propagation, which would let a container's mounts out.
Result<MountOptions> parse_mount_options(const std::vector<std::string>& options);

}  // namespace lyr::sandbox
