// SPDX-License-Identifier: Apache-2.0
// A process named so that another that got its pid later is never taken for it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::engine {

struct ProcessIdentity {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // /proc/PID/stat, field 22
  std::string boot_id;
};

Result<ProcessIdentity> identify(pid_t pid);
// A pidfd of it; absent: it has ended.
Result<std::optional<Fd>> find_process(const ProcessIdentity& identity);

}  // namespace lyr::engine
