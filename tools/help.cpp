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

// "lyr-store-stats", in man(7).
std::string page_name(const Command& command) {
  std::string name = std::string("lyr-") + command.name;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
  return text;
}

std::string man_list(std::span<const Command* const> commands) {
  std::string text;
  for (const Command* command : commands) {
    text += ".TP\n.BR " + roff(page_name(*command)) + " (1)\n" + roff(command->summary) + "\n";
  }
  return text;
}

std::string listed(const std::string& name, const char* summary, size_t width) {
  std::string line = "  " + name;
  return line + std::string(line.size() < width ? width - line.size() : 1, ' ') + summary + "\n";
}

size_t widest_name() {
  size_t widest = 0;
  for (const Command* command : all_commands()) {
    widest = std::max(widest, std::string_view(command->name).size());
  }
  return widest;
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
  size_t width = widest_name() + 4;
  for (const Command* command : all_commands()) {
    if (group_of(*command) == nullptr) text += listed(command->name, command->summary, width);
  }
  for (const Group& group : all_groups()) {
    text += std::string("\n") + group.summary + ":\n";
    for (const Command* command : commands_of(group)) {
      text += listed(command->name, command->summary, width);
    }
  }
  return text + "\nlyr COMMAND --help tells more about one.\n";
}

std::string group_help(const Group& group) {
  std::string lyr_group = std::string("lyr ") + group.name;
  std::string text =
      "Usage: " + lyr_group + " COMMAND [OPTIONS]\n\n" + group.summary + "\n\nCommands:\n";
  for (const Command* command : commands_of(group)) {
    text += listed(last_word(*command), command->summary, 14);
  }
  return text + "\n" + lyr_group + " COMMAND --help tells more about one.\n";
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
  auto part = [&](const char* name, const std::string& help) {
    text += std::string("\n## lyr ") + name + "\n\n```\n" + help + "```\n";
  };
  const Group* last = nullptr;
  for (const Command* command : all_commands()) {
    const Group* group = group_of(*command);
    if (group != nullptr && group != last) part(group->name, group_help(*group));
    last = group;
    part(command->name, command_help(*command));
  }
  return text;
}

std::string program_man() {
  std::string text = man_head("LYR", "lyr", "run OCI and Docker images without a daemon");
  text += ".B lyr\n[\\-\\-root DIR] [\\-\\-run\\-root DIR] COMMAND [OPTIONS]\n.SH COMMANDS\n";
  return text + man_list(all_commands()) +
         ".SH ENVIRONMENT\n.TP\n.B LYR_ROOT\nWhere images, containers and volumes are kept.\n"
         ".TP\n.B LYR_RUN_ROOT\nWhere running containers keep what a reboot may lose.\n";
}

std::string group_man(const Group& group) {
  std::string name = std::string("lyr-") + group.name;
  return man_head(upper(name), name, group.summary) + ".B lyr " + roff(group.name) +
         "\nCOMMAND [OPTIONS]\n.SH COMMANDS\n" + man_list(commands_of(group)) +
         ".SH SEE ALSO\n.BR lyr (1)\n";
}

std::string command_man(const Command& command) {
  std::string name = page_name(command);
  std::string text = man_head(upper(name), name, command.summary);
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
