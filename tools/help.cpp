// SPDX-License-Identifier: Apache-2.0
#include "tools/help.h"

#include <algorithm>

namespace lyr::tools {
namespace {

constexpr size_t flag_column = 28;

std::string option_line(const CLI::Option& option) {
  std::string flags;
  for (const std::string& name : option.get_snames()) flags += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) flags += "--" + name + ", ";
  if (flags.size() >= 2) flags.resize(flags.size() - 2);
  if (option.get_expected_max() > 0 && option.get_type_size() != 0) {
    flags += " " + (option.get_type_name().empty() ? "VALUE" : option.get_type_name());
  }
  std::string line = "  " + flags;
  line += line.size() < flag_column ? std::string(flag_column - line.size(), ' ') : "  ";
  return line + option.get_description();
}

std::vector<std::string> option_lines(const Command& command) {
  auto action = command.make();
  CLI::App app;
  app.set_help_flag();
  action->define(app);
  std::vector<std::string> lines;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional() && !option->get_description().empty()) {
      lines.push_back(option_line(*option));
    }
  }
  return lines;
}

std::string indented(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    size_t newline = text.find('\n');
    result += "  " + std::string(text.substr(0, newline)) + "\n";
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
  }
  return result;
}

}  // namespace

std::string program_help() {
  std::string text =
      "lyr runs OCI and Docker images without a daemon and without privileges.\n\n"
      "Usage: lyr [--root DIR] [--run-root DIR] COMMAND [OPTIONS]\n\nCommands:\n";
  for (const Command* command : all_commands()) {
    std::string line = std::string("  ") + command->name;
    line += std::string(line.size() < 14 ? 14 - line.size() : 1, ' ');
    text += line + command->summary + "\n";
  }
  return text + "\nlyr COMMAND --help tells more about one.\n";
}

std::string command_help(const Command& command) {
  std::string text = std::string("Usage: lyr ") + command.name + " " + command.arguments + "\n\n" +
                     command.summary + "\n";
  auto lines = option_lines(command);
  if (!lines.empty()) text += "\nOptions:\n";
  for (const std::string& line : lines) text += line + "\n";
  if (*command.examples != '\0') text += "\nExamples:\n" + indented(command.examples);
  return text;
}

std::string manual_markdown() {
  std::string text = "# lyr's commands\n\nMade by `lyr help --markdown`; a test keeps it so.\n";
  for (const Command* command : all_commands()) {
    text +=
        std::string("\n## lyr ") + command->name + "\n\n```\n" + command_help(*command) + "```\n";
  }
  return text;
}

}  // namespace lyr::tools
