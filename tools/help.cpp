// SPDX-License-Identifier: Apache-2.0
#include "tools/help.h"

#include <algorithm>

namespace lyr::tools {
namespace {

constexpr size_t flag_column = 28;

std::string option_line(const Flag& flag) {
  std::string line = "  ";
  for (const std::string& name : flag.names) line += (line.size() > 2 ? ", " : "") + name;
  if (!flag.value.empty()) line += " " + flag.value;
  line += line.size() < flag_column ? std::string(flag_column - line.size(), ' ') : "  ";
  return line + flag.description;
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

// Text in man(7): a backslash, a hyphen and a line's first dot would mean something to it.
std::string roff(std::string_view text) {
  std::string result;
  for (char c : text) {
    bool begins = result.empty() || result.back() == '\n';
    if (begins && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else {
      result += c == '-' ? std::string("\\-") : std::string(1, c);
    }
  }
  return result;
}

std::string man_head(const std::string& page, const std::string& name, const char* summary) {
  return ".TH " + roff(page) + " 1 \"\" \"lyr " LYR_VERSION "\"\n.SH NAME\n" + roff(name) +
         " \\- " + roff(summary) + "\n.SH SYNOPSIS\n";
}

}  // namespace

std::vector<Flag> flags_of(const Command& command) {
  auto action = command.make();
  CLI::App app;
  app.set_help_flag();
  action->define(app);
  std::vector<Flag> flags;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() || option->get_description().empty()) continue;
    Flag& flag = flags.emplace_back();
    for (const std::string& name : option->get_snames()) flag.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) flag.names.push_back("--" + name);
    if (option->get_expected_max() > 0 && option->get_type_size() != 0) {
      flag.value = option->get_type_name().empty() ? "VALUE" : option->get_type_name();
    }
    flag.description = option->get_description();
  }
  return flags;
}

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
  auto flags = flags_of(command);
  if (!flags.empty()) text += "\nOptions:\n";
  for (const Flag& flag : flags) text += option_line(flag) + "\n";
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

std::string program_man() {
  std::string text = man_head("LYR", "lyr", "run OCI and Docker images without a daemon");
  text += ".B lyr\n[\\-\\-root DIR] [\\-\\-run\\-root DIR] COMMAND [OPTIONS]\n.SH COMMANDS\n";
  for (const Command* command : all_commands()) {
    text +=
        std::string(".TP\n.BR lyr\\-") + command->name + " (1)\n" + roff(command->summary) + "\n";
  }
  return text +
         ".SH ENVIRONMENT\n.TP\n.B LYR_ROOT\nWhere images, containers and volumes are kept.\n"
         ".TP\n.B LYR_RUN_ROOT\nWhere running containers keep what a reboot may lose.\n";
}

std::string command_man(const Command& command) {
  std::string name = std::string("lyr-") + command.name;
  std::string text = man_head("LYR-" + std::string(command.name), name, command.summary);
  text += std::string(".B lyr ") + command.name + "\n" + roff(command.arguments) + "\n";
  auto flags = flags_of(command);
  if (!flags.empty()) text += ".SH OPTIONS\n";
  for (const Flag& flag : flags) {
    std::string names;
    for (const std::string& each : flag.names) names += (names.empty() ? "" : ", ") + each;
    text += ".TP\n.B " + roff(names) +
            (flag.value.empty() ? "" : " \\fI" + roff(flag.value) + "\\fR") + "\n";
    text += roff(flag.description) + "\n";
  }
  if (*command.examples != '\0') {
    text += ".SH EXAMPLES\n.nf\n" + roff(command.examples) + "\n.fi\n";
  }
  return text + ".SH SEE ALSO\n.BR lyr (1)\n";
}

}  // namespace lyr::tools
