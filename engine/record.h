// SPDX-License-Identifier: Apache-2.0
// The files that are a container's state (docs/formats.md, "container"):
//   $root/containers/ID/container.json   what it is; never changes
//   $root/containers/ID/exit.json        how its last run ended
//   $run_root/containers/ID/state.json   who runs it now
// Each is replaced whole; one that a power cut emptied is as one that was never written. EUCLEAN:
// not one of ours.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/process_identity.h"

namespace lyr::engine {

struct ExitRecord {
  int exit_code = 0;
  int64_t started_unix_ns = 0;
  int64_t finished_unix_ns = 0;
  bool dead = false;  // found without its supervisor
  std::string error;
};

struct RunRecord {
  ProcessIdentity supervisor;
  ProcessIdentity container;
  int64_t started_unix_ns = 0;
};

Result<> write_container(const Fd& persistent, const ContainerInfo& info);
// What write_container() wrote outlives a power cut from here on.
Result<> make_container_durable(const Fd& persistent);
Result<ContainerInfo> read_container(const Fd& persistent);  // the unchanging part
Result<> write_exit(const Fd& persistent, const ExitRecord& record);
Result<std::optional<ExitRecord>> read_exit(const Fd& persistent);
Result<> write_run(const Fd& runtime, const RunRecord& record);
Result<std::optional<RunRecord>> read_run(const Fd& runtime);

}  // namespace lyr::engine
