// SPDX-License-Identifier: Apache-2.0
// The flags that `run` and `create` share, and their meaning as engine::CreateOptions.
#pragma once

#include "engine/engine.h"
#include "tools/command.h"

namespace lyr::tools {

struct CreateFlags {
  std::string name, working_dir, user, entrypoint, hostname, network = "none", union_mode = "auto",
                                                             memory, cpus, stop_signal, cid_file;
  std::vector<std::string> env, env_files, volumes, tmpfs, cap_add, cap_drop, ulimits, labels,
      security, publish;
  int64_t pids_limit = 0;
  int stop_timeout = -1;
  bool interactive = false, terminal = false, read_only = false, init = false, auto_remove = false;
  CLI::Option* entrypoint_option = nullptr;

  void define(CLI::App& app);
  // `rest`: the command. EINVAL says which flag is wrong.
  Result<engine::CreateOptions> options(const std::vector<std::string>& rest) const;
};

// EINVAL: there is no such mode.
Result<engine::UnionMode> parse_union_mode(const std::string& name);

// EINVAL: one of "NAME=value" or "NAME" has no name. `what` they are.
Result<> check_names(const std::vector<std::string>& assignments, const char* what);

// "NAME=value" lines; comments and empty lines are skipped. Names the line that is wrong.
Result<std::vector<std::string>> read_env_file(const std::string& path);

}  // namespace lyr::tools
