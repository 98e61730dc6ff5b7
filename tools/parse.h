// SPDX-License-Identifier: Apache-2.0
// Reads a command's options with CLI11, stops where the container's own arguments begin, and names
// the nearest flag when one is unknown.
#pragma once

#include "tools/command.h"

namespace lyr::tools {

// EINVAL with a sentence for a person.
Result<> parse(const Command& command, CLI::App& app, Action& action,
               std::vector<std::string> args);

// "image ls" → "images", "container rm" → "rm", ...
std::vector<std::string> short_form(std::vector<std::string> args);

}  // namespace lyr::tools
