// SPDX-License-Identifier: Apache-2.0
// One run of a container, inside its supervisor: start it, watch it, write down its end. The record
// of the end comes before anyone is told of it.
#pragma once

#include <memory>
#include <optional>

#include "base/sys_process.h"
#include "engine/file_server.h"
#include "engine/reconcile.h"
#include "engine/stdio_hub.h"
#include "engine/supervisor.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {

// Waits out commands that only look; EALREADY when a supervisor has it.
Result<ContainerLock> lock_for_start(const ContainerDirectory& directory);

class SupervisedRun {
 public:
  SupervisedRun(SupervisorTask task, Engine::State state, ContainerDirectory directory);
  // From the start to the end, whatever happens.
  void run();

 private:
  // Gives the report of a start that failed.
  Result<> start();
  // One that may succeed when it is tried again is.
  Result<> start_hybrid(const sandbox::IdMap& map);
  bool has_server_ended() const;
  void undo_start();
  Result<> start_on(UnionMode mode, const sandbox::IdMap& map);
  Result<> fork_server(UnionMode mode, const sandbox::IdMap& map);
  Result<> dress_upper(const store::Tree& tree, const sandbox::IdMap& map);
  Result<> launch(sandbox::Stdio stdio);
  Result<sandbox::Stdio> make_streams();
  Result<> open_for_clients();
  void report_failure(const Error& error);
  void watch();
  void take_signal();
  void finish();

  SupervisorTask task_;
  Engine::State state_;
  ContainerDirectory directory_;
  std::optional<ContainerLock> lock_;
  sandbox::Spec spec_;
  std::unique_ptr<FileServer> server_;
  std::optional<sandbox::Launch> container_;
  ContainerStreams streams_;
  std::optional<StdioHub> hub_;
  Fd listener_;
  Fd signals_;
  RunRecord record_;
  ExitRecord end_;
};

}  // namespace lyr::engine
