// SPDX-License-Identifier: Apache-2.0
// Help, docs/cli.md, the manual and shell completion are made from one table and agree with it.
#include "tools/help.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tools/completion.h"

namespace lyr::tools {
namespace {

TEST(Help, CliDocumentIsTheTable) {
  std::ifstream file(LYR_SOURCE_DIR "/docs/cli.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), manual_markdown()) << "make it anew: lyr help --markdown > docs/cli.md";
}

TEST(Help, TheTableIsSortedAndComplete) {
  std::string last;
  for (const Command* command : all_commands()) {
    EXPECT_LT(last, command->name);
    last = command->name;
    EXPECT_NE(*command->summary, '\0') << last;
    EXPECT_NE(program_help().find(std::string("  ") + command->name + " "), std::string::npos);
  }
}

TEST(Help, NoFlagStandsTwice) {
  for (const Command* command : all_commands()) {
    std::set<std::string> names;
    for (const Flag& flag : flags_of(*command)) {
      EXPECT_FALSE(flag.names.empty()) << command->name;
      for (const std::string& name : flag.names) {
        EXPECT_TRUE(names.insert(name).second) << command->name << " " << name;
      }
    }
  }
}

TEST(Man, TextCannotBecomeARequest) {
  for (const Command* command : all_commands()) {
    std::istringstream page(command_man(*command));
    const std::set<std::string> known{".TH", ".SH", ".B", ".BR", ".I", ".TP", ".br", ".nf", ".fi"};
    for (std::string line; std::getline(page, line);) {
      if (!line.starts_with('.')) continue;
      EXPECT_TRUE(known.contains(line.substr(0, line.find(' ')))) << command->name << ": " << line;
    }
  }
}

TEST(Completion, EveryShellKnowsEveryCommandAndFlag) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    std::string script = completion_script(shell).value();
    for (const Command* command : all_commands()) {
      EXPECT_NE(script.find(command->name), std::string::npos) << shell << " " << command->name;
      for (const Flag& flag : flags_of(*command)) {
        std::string name = flag.names.back();
        if (std::string_view(shell) == "fish") name = name.substr(name.find_first_not_of('-'));
        EXPECT_NE(script.find(name), std::string::npos) << shell << " " << name;
      }
    }
  }
  EXPECT_FALSE(completion_script("tcsh"));
}

}  // namespace
}  // namespace lyr::tools
