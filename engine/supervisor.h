// SPDX-License-Identifier: Apache-2.0
// A container's supervisor: a process of its own that starts the container, holds its terminal and
// log, and stays until it has written down how it ended. `lyr run` and `lyr start` fork it.
#pragma once

#include "engine/engine_state.h"
#include "engine/record.h"

namespace lyr::engine {

// What the supervisor reports over its status socket, once: how the start went.
struct StartReport {
  bool started = false;
  int exit_code = 0;    // when not started: 125, 126 or 127
  std::string message;  // why; or warnings, one a line
};
Result<> send_report(const Fd& status, const StartReport& report);
Result<StartReport> receive_report(const Fd& status);

struct SupervisorTask {
  Roots roots;
  ContainerInfo info;
  Digest chain_id;
  Fd status;  // a SEQPACKET socket for the report
  Fd client;  // attached from the first byte on; may be empty
};

// Forks it, detached: its parent is not us and it is in no session of ours.
Result<> fork_supervisor(const Engine::State& engine, SupervisorTask task);

}  // namespace lyr::engine
