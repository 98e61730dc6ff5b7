// SPDX-License-Identifier: Apache-2.0
// lyr: finds the command, reads its options, runs it, and says on one line what went wrong.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tools/command.h"
#include "tools/help.h"
#include "tools/mount_program.h"
#include "tools/parse.h"

namespace lyr::tools {
namespace {

constexpr int usage_failure = 125;

// Descriptors 0 to 2 must be something: else a file we open would become somebody's standard
// output.
void open_standard_streams() {
  for (;;) {
    auto null = sys::open("/dev/null", O_RDWR);
    if (!null || null->get() > 2) return;
    static_cast<void>(null->release());
  }
}

int complain(const std::string& command, const std::string& what) {
  std::fprintf(stderr, "lyr%s%s: %s\n", command.empty() ? "" : " ", command.c_str(), what.c_str());
  return usage_failure;
}

struct Globals {
  std::optional<std::string> root;
  std::optional<std::string> run_root;
};

// Takes --root and --run-root off the front. False: complained.
bool take_globals(std::vector<std::string>& args, Globals& globals) {
  while (!args.empty() && args.front().starts_with("--")) {
    std::string flag = args.front().substr(0, args.front().find('='));
    if (flag != "--root" && flag != "--run-root") return true;
    auto& target = flag == "--root" ? globals.root : globals.run_root;
    if (flag.size() < args.front().size()) {
      target = args.front().substr(flag.size() + 1);
      args.erase(args.begin());
    } else if (args.size() < 2) {
      complain("", flag + " needs a directory");
      return false;
    } else {
      target = args[1];
      args.erase(args.begin(), args.begin() + 2);
    }
  }
  return true;
}

// docker's commands that lyr has not got yet.
constexpr auto not_yet = std::to_array<std::string_view>(
    {"build",    "compose", "events", "export",  "history", "import", "login",  "logout",
     "manifest", "network", "pause",  "port",    "pull",    "push",   "rename", "restart",
     "search",   "stats",   "top",    "unpause", "update",  "volume"});

std::string hint(const std::string& wrong, const std::vector<std::string>& names,
                 const std::string& lister) {
  std::string near = nearest(wrong, names);
  return near.empty() ? lister + " lists the commands" : "did you mean '" + near + "'?";
}

int unknown_command(const std::string& name) {
  if (std::ranges::find(not_yet, name) != not_yet.end()) {
    bool fetches = name == "pull" || name == "build" || name == "import";
    return complain("", "'" + name + "' is not built yet; " +
                            (fetches ? "images come in with lyr load" : "lyr help lists what is"));
  }
  std::vector<std::string> names;
  for (const Command* command : all_commands()) {
    if (group_of(*command) == nullptr) names.emplace_back(command->name);
  }
  for (const Group& group : all_groups()) names.emplace_back(group.name);
  return complain("", "'" + name + "' is not a command; " + hint(name, names, "lyr help"));
}

int run_command(const Command& command, std::vector<std::string> args, const Globals& globals) {
  auto action = command.make();
  CLI::App app(command.summary, std::string("lyr ") + command.name);
  action->define(app);
  for (const std::string& arg : args) {
    if (arg == "--") break;
    if (arg == "--help" || (arg == "-h" && app.get_option_no_throw("-h") == nullptr)) {
      std::fputs(command_help(command).c_str(), stdout);
      return 0;
    }
    if (command.takes_command && !arg.starts_with('-')) break;
  }
  auto parsed = parse(command, app, *action, std::move(args));
  if (!parsed) return complain(command.name, describe(parsed.error()));
  auto roots = engine::default_roots();
  if (globals.root) {
    engine::Roots chosen{*globals.root, globals.run_root.value_or(*globals.root + "/run")};
    roots = chosen;
  }
  if (!roots) return complain(command.name, describe(roots.error()));
  if (globals.run_root) roots->run_root = *globals.run_root;
  Context context(std::move(*roots));
  auto done = action->run(context);
  if (done) return *done;
  complain(command.name, describe(done.error()));
  return command.failure_code;
}

// `lyr store`, `lyr store --help`, `lyr store stats ...`: args[0] is the group's name.
int run_in_group(const Group& group, std::vector<std::string> args, const Globals& globals) {
  if (args.size() < 2 || args[1] == "--help" || args[1] == "-h") {
    std::fputs(group_help(group).c_str(), stdout);
    return args.size() < 2 ? usage_failure : 0;
  }
  const Command* command = find_command(args[0] + " " + args[1]);
  if (command == nullptr) {
    std::vector<std::string> names;
    for (const Command* each : commands_of(group)) names.emplace_back(last_word(*each));
    std::string lister = "lyr " + args[0] + " --help";
    return complain(args[0], "'" + args[1] + "' is not a command; " + hint(args[1], names, lister));
  }
  args.erase(args.begin(), args.begin() + 2);
  return run_command(*command, std::move(args), globals);
}

int run(std::vector<std::string> args) {
  Globals globals;
  if (!take_globals(args, globals)) return usage_failure;
  if (args.empty() || args[0] == "--help" || args[0] == "-h") {
    std::fputs(program_help().c_str(), stdout);
    return args.empty() ? usage_failure : 0;
  }
  if (args[0] == "--version" || args[0] == "-v") args[0] = "version";
  // docker's long forms: `lyr image ls`, `lyr container run`.
  args = short_form(std::move(args));
  if (const Group* group = find_group(args[0])) {
    return run_in_group(*group, std::move(args), globals);
  }
  const Command* command = find_command(args[0]);
  if (command == nullptr) return unknown_command(args[0]);
  args.erase(args.begin());
  return run_command(*command, std::move(args), globals);
}

}  // namespace
}  // namespace lyr::tools

int main(int count, char** values) {
  lyr::tools::open_standard_streams();
  lyr::sys::return_large_memory();
  try {
    if (count > 0 && lyr::tools::is_mount_program(values[0]))
      return lyr::tools::mount_program(std::vector<std::string>(values + 1, values + count));
    return lyr::tools::run(std::vector<std::string>(values + 1, values + count));
  } catch (const std::exception& error) {
    // Only libraries throw: out of memory, in the end.
    std::fprintf(stderr, "lyr: %s\n", error.what());
    return 125;
  }
}
