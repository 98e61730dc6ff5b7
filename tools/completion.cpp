// SPDX-License-Identifier: Apache-2.0
#include "tools/completion.h"

#include "tools/command.h"
#include "tools/help.h"

namespace lyr::tools {
namespace {

// What a command's arguments name, and so what lists them.
enum class Names { none, images, containers };

Names names_of(const Command& command) {
  std::string_view arguments = command.arguments;
  if (arguments.find("CONTAINER") != std::string_view::npos) return Names::containers;
  return arguments.find("IMAGE") == std::string_view::npos ? Names::none : Names::images;
}

const char* lister(Names names) {
  if (names == Names::containers) return "lyr ps -a --format '{{.Names}}' 2>/dev/null";
  if (names == Names::images) return "lyr images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null";
  return "";
}

std::string command_names() {
  std::string words;
  for (const Command* command : all_commands()) {
    words += (words.empty() ? "" : " ") + std::string(command->name);
  }
  return words;
}

std::string flag_names(const Command& command) {
  std::string words;
  for (const Flag& flag : flags_of(command)) {
    for (const std::string& name : flag.names) words += (words.empty() ? "" : " ") + name;
  }
  return words;
}

// In single quotes, for any of the three shells.
std::string quoted(std::string_view text, std::string_view quote) {
  std::string result = "'";
  for (char c : text) result += c == '\'' ? std::string(quote) : std::string(1, c);
  return result + "'";
}

std::string bash() {
  std::string text =
      "# lyr in bash: source <(lyr completion bash)\n"
      "_lyr() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} command= flags= names= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "      --root|--run-root) ((i++)) ;;\n"
      "      -*) ;;\n"
      "      *) command=${COMP_WORDS[i]}; break ;;\n"
      "    esac\n"
      "  done\n"
      "  case $command in\n";
  text += "    '') names='" + command_names() + "'; flags='--root --run-root --help' ;;\n";
  for (const Command* command : all_commands()) {
    std::string list = lister(names_of(*command));
    if (std::string_view(command->name) == "help") list = "echo " + command_names();
    text += std::string("    ") + command->name + ") flags='" + flag_names(*command) + "'";
    if (!list.empty()) text += "; [[ $cur == -* ]] || names=$(" + list + ")";
    text += " ;;\n";
  }
  return text +
         "  esac\n"
         "  if [[ $cur == -* ]]; then names=$flags; fi\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$names\" -- \"$cur\")\n"
         "  # Names have colons, which bash takes for the ends of words.\n"
         "  if declare -F __ltrim_colon_completions >/dev/null; then\n"
         "    __ltrim_colon_completions \"$cur\"\n"
         "  fi\n"
         "}\n"
         "complete -o default -F _lyr lyr\n";
}

std::string zsh() {
  std::string text =
      "#compdef lyr\n# lyr in zsh: source <(lyr completion zsh)\n"
      "_lyr() {\n"
      "  local command word\n  local -a commands flags names\n"
      "  for word in ${words[2,CURRENT-1]}; do\n"
      "    [[ $word == -* || $word == */* ]] || { command=$word; break; }\n"
      "  done\n"
      "  case $command in\n    '')\n      commands=(\n";
  for (const Command* command : all_commands()) {
    text +=
        "        " + quoted(std::string(command->name) + ":" + command->summary, "'\\''") + "\n";
  }
  text += "      )\n      _describe command commands\n      return ;;\n";
  for (const Command* command : all_commands()) {
    text += std::string("    ") + command->name + ") flags=(" + flag_names(*command) + ")";
    std::string list = lister(names_of(*command));
    if (!list.empty()) text += "; [[ $PREFIX == -* ]] || names=(${(f)\"$(" + list + ")\"})";
    text += " ;;\n";
  }
  return text +
         "  esac\n"
         "  if [[ $PREFIX == -* ]]; then compadd -- $flags; else compadd -- $names; _files; fi\n"
         "}\n"
         "compdef _lyr lyr\n";
}

std::string fish() {
  std::string text = "# lyr in fish: lyr completion fish | source\n";
  for (const Command* command : all_commands()) {
    text += std::string("complete -c lyr -f -n __fish_use_subcommand -a ") + command->name +
            " -d " + quoted(command->summary, "\\'") + "\n";
    std::string when =
        std::string("complete -c lyr -n '__fish_seen_subcommand_from ") + command->name + "'";
    for (const Flag& flag : flags_of(*command)) {
      text += when;
      for (const std::string& name : flag.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      text += (flag.value.empty() ? " -d " : " -r -d ") + quoted(flag.description, "\\'") + "\n";
    }
    std::string list = lister(names_of(*command));
    if (!list.empty()) text += when + " -a \"(" + list + ")\"\n";
  }
  return text;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  return fail_saying(EINVAL, "'" + std::string(shell) + "' is not bash, zsh or fish");
}

}  // namespace lyr::tools
