// SPDX-License-Identifier: Apache-2.0
// lyr help: the program's help, or one command's.
#include <cstdio>

#include "tools/command.h"
#include "tools/help.h"
#include "tools/parse.h"

namespace lyr::tools {
namespace {

class HelpAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("--markdown", markdown_, "All commands, as docs/cli.md has them");
    app.add_flag("--man", man_, "As a manual page: lyr help --man run | man -l -");
    app.add_option("command", words_, "");
  }
  Result<int> run(Context&) override {
    std::string text = markdown_ ? manual_markdown() : man_ ? program_man() : program_help();
    if (!words_.empty()) text = TRY(about_command());
    std::fputs(text.c_str(), stdout);
    return 0;
  }

 private:
  Result<std::string> about_command() const {
    std::string name;
    for (const std::string& word : short_form(words_)) name += (name.empty() ? "" : " ") + word;
    if (const Group* group = find_group(name)) return man_ ? group_man(*group) : group_help(*group);
    const Command* command = find_command(name);
    if (command == nullptr) return fail_saying(EINVAL, "'" + name + "' is not a command");
    return man_ ? command_man(*command) : command_help(*command);
  }

  bool markdown_ = false;
  bool man_ = false;
  std::vector<std::string> words_;
};

}  // namespace

extern const Command cmd_help;
const Command cmd_help{
    .name = "help",
    .summary = "Tell about lyr, or one of its commands",
    .arguments = "[OPTIONS] [COMMAND]",
    .examples = "lyr help run\nlyr help store stats\nlyr help --man run | man -l -",
    .make = make_action<HelpAction>};

}  // namespace lyr::tools
