// SPDX-License-Identifier: Apache-2.0
// Help texts, made from the command table.
#pragma once

#include <string>

#include "tools/command.h"

namespace lyr::tools {

std::string program_help();
std::string command_help(const Command& command);
// docs/cli.md.
std::string manual_markdown();

}  // namespace lyr::tools
