// SPDX-License-Identifier: Apache-2.0
// Work on a container's files, done by a process of ours inside the container, in a program's
// place: so a link of the container's cannot lead it to the host, volumes are where they should be,
// and files have the container's ids. A container that does not run is set up as for a start, and
// taken down again.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine_state.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {

struct InsideWork {
  const char* name = "";  // of the process, for ps
  // What is done inside: given "/", and the stream as standard input or output.
  std::function<Result<>(const Fd& root)> work;
  // Done here before that, when the container that does not run cannot be started any more, and
  // the other one stands still.
  std::function<Result<>()> before;
  // Done here while that goes on. It is not waited for if this fails, so it must let go of the
  // stream.
  std::function<Result<>()> meanwhile;
  Fd* our_end = nullptr;  // of the stream, which no other process is to keep open
  bool volumes = true;    // false: of a container that does not run, nothing is mounted in its root
  bool pause = false;     // a running one stands still; `warnings` say it when it cannot
};

// `stdio`: standard input and output; standard error is for what goes wrong inside.
Result<> work_inside(Engine& engine, Engine::State& state, std::string_view name,
                     const InsideWork& work, sandbox::Stdio stdio,
                     std::vector<std::string>& warnings);

}  // namespace lyr::engine
