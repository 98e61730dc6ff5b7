// SPDX-License-Identifier: Apache-2.0
#include "tools/completion.h"

#include <algorithm>

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

// The words that may stand first: commands of one word, and groups.
std::string first_words() {
  std::string words;
  for (const Command* command : all_commands()) {
    if (group_of(*command) == nullptr) words += std::string(command->name) + " ";
  }
  for (const Group& group : all_groups()) words += std::string(group.name) + " ";
  words.pop_back();
  return words;
}

std::string words_of(const Group& group) {
  std::string words;
  for (const Command* command : commands_of(group)) {
    words += (words.empty() ? "" : " ") + std::string(last_word(*command));
  }
  return words;
}

// A pattern of what is no whole command: a word that tells which is to follow.
std::string unfinished() {
  std::string pattern = "help";
  for (const Group& group : all_groups()) {
    pattern += std::string("|") + group.name + "|'help " + group.name + "'";
  }
  return pattern;
}

std::string flag_names(const Command& command) {
  std::string words;
  for (const Flag& flag : flags_of(command)) {
    for (const std::string& name : flag.names) words += (words.empty() ? "" : " ") + name;
  }
  return words;
}

// In single quotes, for any of the three shells.
std::string shell_quoted(std::string_view text, std::string_view quote) {
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
      "      *) command+=${command:+ }${COMP_WORDS[i]}\n"
      "         case $command in " +
      unfinished() +
      ") ;; *) break ;; esac ;;\n"
      "    esac\n"
      "  done\n"
      "  case $command in\n";
  text += "    '') names='" + first_words() + "'; flags='--root --run-root --help' ;;\n";
  for (const Group& group : all_groups()) {
    text += std::string("    ") + group.name + "|'help " + group.name + "') names='" +
            words_of(group) + "'; flags=--help ;;\n";
  }
  for (const Command* command : all_commands()) {
    std::string list = lister(names_of(*command));
    if (std::string_view(command->name) == "help") list = "echo " + first_words();
    text += "    " + shell_quoted(command->name, "") + ") flags='" + flag_names(*command) + "'";
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

// A line of a zsh array for _describe.
std::string described(const char* word, const char* summary) {
  return "        " + shell_quoted(std::string(word) + ":" + summary, "'\\''") + "\n";
}

std::string zsh() {
  std::string text =
      "#compdef lyr\n# lyr in zsh: source <(lyr completion zsh)\n"
      "_lyr() {\n"
      "  local command word\n  local -a commands flags names\n"
      "  for word in ${words[2,CURRENT-1]}; do\n"
      "    [[ $word == -* || $word == */* ]] && continue\n"
      "    command+=${command:+ }$word\n"
      "    case $command in " +
      unfinished() +
      ") ;; *) break ;; esac\n"
      "  done\n"
      "  case $command in\n    '')\n      commands=(\n";
  for (const Command* command : all_commands()) {
    if (group_of(*command) == nullptr) text += described(command->name, command->summary);
  }
  for (const Group& group : all_groups()) text += described(group.name, group.summary);
  const std::string describe = "      )\n      _describe command commands\n      return ;;\n";
  text += describe;
  for (const Group& group : all_groups()) {
    text += std::string("    ") + group.name + "|'help " + group.name + "')\n      commands=(\n";
    for (const Command* command : commands_of(group)) {
      text += described(last_word(*command), command->summary);
    }
    text += describe;
  }
  for (const Command* command : all_commands()) {
    text += "    " + shell_quoted(command->name, "") + ") flags=(" + flag_names(*command) + ")";
    std::string list = lister(names_of(*command));
    if (!list.empty()) text += "; [[ $PREFIX == -* ]] || names=(${(f)\"$(" + list + ")\"})";
    if (std::string_view(command->name) == "help") text += "; names=(" + first_words() + ")";
    text += " ;;\n";
  }
  return text +
         "  esac\n"
         "  if [[ $PREFIX == -* ]]; then compadd -- $flags; else compadd -- $names; _files; fi\n"
         "}\n"
         "compdef _lyr lyr\n";
}

// What fish asks before it offers a word: whether the words so far are exactly these.
std::string fish_after(const std::string& words) {
  return "complete -c lyr -n '__lyr_after \"" + words + "\"'";
}

std::string fish_word(const std::string& after, const char* word, const char* summary) {
  return fish_after(after) + " -f -a " + word + " -d " + shell_quoted(summary, "\\'") + "\n";
}

std::string fish() {
  std::string text =
      "# lyr in fish: lyr completion fish | source\n"
      "function __lyr_after\n"
      "  set -l command\n  set -l words (commandline -opc)\n  set -e words[1]\n"
      "  while set -q words[1]\n"
      "    switch $words[1]\n"
      "      case --root --run-root\n        set -e words[1]\n"
      "      case '-*'\n"
      "      case '*'\n"
      "        set command (string join ' ' $command $words[1])\n"
      "        switch $command\n          case ";
  std::string open = unfinished();
  std::ranges::replace(open, '|', ' ');
  text += open +
          "\n          case '*'\n            break\n        end\n"
          "    end\n    set -e words[1]\n  end\n"
          "  test \"$command\" = \"$argv\"\nend\n";
  for (const char* after : {"", "help"}) {
    for (const Command* command : all_commands()) {
      if (group_of(*command) == nullptr) text += fish_word(after, command->name, command->summary);
    }
    for (const Group& group : all_groups()) text += fish_word(after, group.name, group.summary);
  }
  for (const Group& group : all_groups()) {
    for (const Command* command : commands_of(group)) {
      text += fish_word(group.name, last_word(*command), command->summary);
      text += fish_word(std::string("help ") + group.name, last_word(*command), command->summary);
    }
  }
  for (const Command* command : all_commands()) {
    std::string when = fish_after(command->name);
    for (const Flag& flag : flags_of(*command)) {
      text += when;
      for (const std::string& name : flag.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      text +=
          (flag.value.empty() ? " -d " : " -r -d ") + shell_quoted(flag.description, "\\'") + "\n";
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
