// SPDX-License-Identifier: Apache-2.0
// What a container is now. A supervisor holds its container's lock file while it lives, and the
// kernel lets go of the lock with it, so nobody has to judge whether a pid is stale; what a killed
// supervisor left is put right by whoever looks next.
#pragma once

#include <optional>
#include <string>

#include "engine/engine_state.h"
#include "engine/record.h"

namespace lyr::engine {

// A container's lock, held as long as this lives.
class ContainerLock {
 public:
  // EWOULDBLOCK: its supervisor (or another command that changes it) has it.
  static Result<ContainerLock> try_take(const ContainerDirectory& directory);
  // Waits for it.
  static Result<ContainerLock> take(const ContainerDirectory& directory);
  const Fd& fd() const { return file_; }

 private:
  explicit ContainerLock(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

// Its record with status, after putting right what was left. Absent: it is not (or no longer)
// there.
Result<std::optional<ContainerInfo>> inspect_container(const Engine::State& engine,
                                                       const std::string& id);

// Says that a run begins, before anything is made for it that outlives a killed process (a cgroup).
// state.json says it from when the container runs. The lock is held, here and below.
Result<> begin_start(const ContainerDirectory& directory);
void end_start(const ContainerDirectory& directory);

// What a sandbox::Freeze of the container locks and writes to.
Result<Fd> open_frozen_mark(const ContainerDirectory& directory);

// Kills what a dead supervisor left of a run, or of a start, and records the run's end.
Result<> clean_after(const ContainerDirectory& directory, const ContainerInfo& info);

// Removes what a killed command left in the run directory for a container that is not there.
Result<> sweep_running(const Engine::State& engine);

// Takes away a container that has no record, with the volumes that were made for it.
void delete_half_made(const Engine::State& engine, const std::string& id);

// Removes the container's directories and its name. It does not run.
Result<> delete_container(const Engine::State& engine, const ContainerDirectory& directory,
                          const ContainerInfo& info, bool volumes);

}  // namespace lyr::engine
