// SPDX-License-Identifier: Apache-2.0
// Help texts, made from the command table.
#pragma once

#include <string>
#include <vector>

#include "tools/command.h"

namespace lyr::tools {

struct Flag {
  std::vector<std::string> names;  // "-i", "--interactive"
  std::string value;               // what stands for its value; empty: it takes none
  std::string description;
};
// In the order in which they were defined; arguments that are no flags are left out.
std::vector<Flag> flags_of(const Command& command);

std::string program_help();
std::string command_help(const Command& command);
std::string group_help(const Group& group);
// docs/cli.md.
std::string manual_markdown();
// Manual pages in man(7): lyr(1), lyr-COMMAND(1), lyr-GROUP(1) and lyr-GROUP-COMMAND(1).
std::string program_man();
std::string command_man(const Command& command);
std::string group_man(const Group& group);

}  // namespace lyr::tools
