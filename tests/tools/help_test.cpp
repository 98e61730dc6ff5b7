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
    bool two_words = last.find(' ') != std::string::npos;
    EXPECT_EQ(group_of(*command) != nullptr, two_words) << last << ": its group has no row";
  }
}

TEST(Help, AGroupListsItsCommandsAndNothingElse) {
  for (const Group& group : all_groups()) {
    EXPECT_EQ(find_command(group.name), nullptr) << group.name << " is a command, too";
    EXPECT_FALSE(commands_of(group).empty()) << group.name;
    std::string help = group_help(group);
    for (const Command* command : all_commands()) {
      std::string line = std::string("\n  ") + last_word(*command) + " ";
      bool listed = help.find(line) != std::string::npos;
      bool shares_word = find_command(std::string(group.name) + " " + last_word(*command));
      EXPECT_EQ(listed, group_of(*command) == &group || shares_word) << command->name;
    }
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
  std::vector<std::string> pages{program_man()};
  for (const Command* command : all_commands()) pages.push_back(command_man(*command));
  for (const Group& group : all_groups()) pages.push_back(group_man(group));
  const std::set<std::string> known{".TH", ".SH", ".B", ".BR", ".I", ".TP", ".br", ".nf", ".fi"};
  for (const std::string& text : pages) {
    std::istringstream page(text);
    for (std::string line; std::getline(page, line);) {
      if (!line.starts_with('.')) continue;
      EXPECT_TRUE(known.contains(line.substr(0, line.find(' ')))) << text.substr(0, 30) << line;
    }
  }
}

TEST(Man, ACommandOfAGroupHasAPageOfBothWords) {
  std::string page = command_man(*find_command("store stats"));
  EXPECT_TRUE(page.starts_with(".TH LYR\\-STORE\\-STATS 1 ")) << page;
  EXPECT_NE(page.find("\nlyr\\-store\\-stats \\- "), std::string::npos) << page;
  EXPECT_NE(program_man().find(".BR lyr\\-store\\-stats (1)\n"), std::string::npos);
}

TEST(Completion, EveryShellKnowsEveryCommandAndFlag) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    std::string script = completion_script(shell).value();
    for (const Command* command : all_commands()) {
      EXPECT_NE(script.find(last_word(*command)), std::string::npos)
          << shell << " " << command->name;
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
