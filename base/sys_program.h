// SPDX-License-Identifier: Apache-2.0
// Starts other programs, by posix_spawn(3): from any thread, where a bare clone would leave the
// child with locks that other threads held.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

struct Program {
  std::string name;                      // sought in PATH
  std::vector<std::string> arguments;    // without the name
  std::vector<std::string> environment;  // "NAME=value", beside ours and instead of our NAMEs
  const Fd* standard_error = nullptr;    // null: ours
  const Fd* kept = nullptr;              // open there, too, with the number that it has here
};
// The child, for wait_pid(). No signal is blocked in it. ENOENT: there is no such program.
Result<pid_t> start_program(const Program& program);

}  // namespace lyr::sys
