// SPDX-License-Identifier: Apache-2.0
// The only list of commands.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "tools/command.h"

namespace lyr::tools {

extern const Command cmd_attach, cmd_commit, cmd_completion, cmd_cp, cmd_create, cmd_diff, cmd_exec,
    cmd_gc, cmd_help, cmd_images, cmd_info, cmd_inspect, cmd_kill, cmd_load, cmd_logs, cmd_mount,
    cmd_ps, cmd_rm, cmd_rmi, cmd_run, cmd_save, cmd_start, cmd_stop, cmd_store_analyze,
    cmd_store_compact, cmd_store_scrub, cmd_store_stats, cmd_system_df, cmd_system_prune, cmd_tag,
    cmd_umount, cmd_version, cmd_wait;

std::span<const Command* const> all_commands() {
  static constexpr const Command* commands[] = {
      &cmd_attach,
      &cmd_commit,
      &cmd_completion,
      &cmd_cp,
      &cmd_create,
      &cmd_diff,
      &cmd_exec,
      &cmd_gc,
      &cmd_help,
      &cmd_images,
      &cmd_info,
      &cmd_inspect,
      &cmd_kill,
      &cmd_load,
      &cmd_logs,
      &cmd_mount,
      &cmd_ps,
      &cmd_rm,
      &cmd_rmi,
      &cmd_run,
      &cmd_save,
      &cmd_start,
      &cmd_stop,
      &cmd_store_analyze,
      &cmd_store_compact,
      &cmd_store_scrub,
      &cmd_store_stats,
      &cmd_system_df,
      &cmd_system_prune,
      &cmd_tag,
      &cmd_umount,
      &cmd_version,
      &cmd_wait,
  };
  return commands;
}

std::span<const Group> all_groups() {
  static constexpr auto groups =
      std::to_array<Group>({{"store", "Look into the chunk store and keep it in order"},
                            {"system", "Look after everything that lyr keeps on disk"}});
  return groups;
}

const Command* find_command(std::string_view name) {
  for (const Command* command : all_commands()) {
    if (name == command->name) return command;
  }
  return nullptr;
}

const Group* find_group(std::string_view name) {
  auto found = std::ranges::find(all_groups(), name, &Group::name);
  return found == all_groups().end() ? nullptr : &*found;
}

const Group* group_of(const Command& command) {
  std::string_view name = command.name;
  size_t space = name.find(' ');
  return space == std::string_view::npos ? nullptr : find_group(name.substr(0, space));
}

std::vector<const Command*> commands_of(const Group& group) {
  std::vector<const Command*> commands;
  for (const Command* command : all_commands()) {
    if (group_of(*command) == &group) commands.push_back(command);
  }
  return commands;
}

const char* last_word(const Command& command) {
  const char* space = std::strrchr(command.name, ' ');
  return space == nullptr ? command.name : space + 1;
}

int report(const char* command, const engine::Outcome& outcome) {
  // The container's last line is left as it stands: the shell's prompt gets one of its own.
  if (outcome.detached) std::puts("");
  if (!outcome.message.empty())
    std::fprintf(stderr, "lyr %s: %s\n", command, outcome.message.c_str());
  return outcome.exit_code;
}

Result<engine::Engine*> Context::engine() {
  if (!engine_) engine_ = TRY(engine::Engine::open(roots_));
  return &*engine_;
}

}  // namespace lyr::tools
