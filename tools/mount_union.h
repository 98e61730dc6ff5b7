// SPDX-License-Identifier: Apache-2.0
// Mounts a union of plain directories and serves it, in a process of its own or in this one.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/mount_options.h"

namespace lyr::tools {

// A target /dev/fd/N is a descriptor of ours, which somebody has mounted already, and unmounts: for
// it the server just ends on a signal. Else the program mounts `target`, by fusermount3 where only
// that may. Once this returns, the union stands: its root can be asked for. The server ends when it
// is unmounted, or unmounts it when it gets SIGTERM, SIGINT or SIGHUP. With `foreground` this
// returns when the server has ended.
Result<> mount_union(const MountOptions& options, const std::string& target, bool foreground);

}  // namespace lyr::tools
