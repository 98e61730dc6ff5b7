// SPDX-License-Identifier: Apache-2.0
// Processes that outlive the command that makes them, and are the last to go when memory runs out.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"

namespace lyr::engine {

// Runs `body` in a process that is no child of ours, in a session of its own (so that it can get no
// terminal), at "/", with nothing open but `kept` and /dev/null as standard streams. Only from a
// single-threaded process. What the process itself fails at is not told here.
Result<> fork_detached(std::vector<int> kept, const std::function<void()>& body);

// For who serves a file system. What makes the kernel wait for us must not wait for the kernel:
// memory that we and our children ask for is not got by writing something back (prctl(2),
// PR_SET_IO_FLUSHER), and when memory runs out the container goes first. Both take
// CAP_SYS_RESOURCE, which root of a container may lack.
void stay_alive();

}  // namespace lyr::engine
