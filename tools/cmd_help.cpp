// SPDX-License-Identifier: Apache-2.0
// lyr help: the program's help, or one command's.
#include <cstdio>

#include "tools/command.h"
#include "tools/help.h"

namespace lyr::tools {
namespace {

class HelpAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("--markdown", markdown_, "All commands, as docs/cli.md has them");
    app.add_flag("--man", man_, "As a manual page: lyr help --man run | man -l -");
    app.add_option("command", name_, "");
  }
  Result<int> run(Context&) override {
    std::string text = markdown_ ? manual_markdown() : man_ ? program_man() : program_help();
    if (!name_.empty()) {
      const Command* command = find_command(name_);
      if (command == nullptr) return fail_saying(EINVAL, "'" + name_ + "' is not a command");
      text = man_ ? command_man(*command) : command_help(*command);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
  }

 private:
  bool markdown_ = false;
  bool man_ = false;
  std::string name_;
};

}  // namespace

extern const Command cmd_help;
const Command cmd_help{.name = "help",
                       .summary = "Tell about lyr, or one of its commands",
                       .arguments = "[OPTIONS] [COMMAND]",
                       .examples = "lyr help run\nlyr help --man run | man -l -",
                       .make = make_action<HelpAction>};

}  // namespace lyr::tools
