// SPDX-License-Identifier: Apache-2.0
#include "tools/parse.h"

#include <algorithm>

namespace lyr::tools {
namespace {

constexpr size_t distance_max = 3;
constexpr size_t guessed_bytes_max = 64;  // no name of ours is longer
constexpr size_t beginning_bytes_min = 4;

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment): "rnu" is
// one slip away from "run".
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

bool takes_value(const CLI::Option& option) {
  return option.get_expected_max() > 0 && option.get_type_size() != 0;
}

std::vector<std::string> flag_names(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

Failure unknown_flag(const Command& command, CLI::App& app, const std::string& flag) {
  std::string near = nearest(flag, flag_names(app));
  return fail_saying(EINVAL,
                     "unknown flag " + flag + "; " +
                         (near.empty() ? std::string("lyr ") + command.name + " --help lists them"
                                       : "did you mean " + near + "?"));
}

// "-p=false" is docker's way to say "--pause=false", which CLI11 knows.
std::string spelled_out(CLI::App& app, const std::string& arg) {
  if (arg.size() < 4 || arg[0] != '-' || arg[1] == '-' || arg[2] != '=') return arg;
  const CLI::Option* option = app.get_option_no_throw(arg.substr(0, 2));
  bool flag = option != nullptr && !takes_value(*option) && !option->get_lnames().empty();
  return flag ? "--" + option->get_lnames().front() + arg.substr(2) : arg;
}

// How many arguments from `at` on an option there takes: itself, and its value if that stands
// apart. 0: unknown.
size_t option_length(CLI::App& app, const std::string& arg) {
  if (arg.starts_with("--")) {
    size_t equals = arg.find('=');
    const CLI::Option* option = app.get_option_no_throw(arg.substr(0, equals));
    if (option == nullptr) return 0;
    return takes_value(*option) && equals == std::string::npos ? 2 : 1;
  }
  for (size_t i = 1; i < arg.size(); ++i) {
    const CLI::Option* option = app.get_option_no_throw(std::string("-") + arg[i]);
    if (option == nullptr) return 0;
    if (takes_value(*option)) return i + 1 == arg.size() ? 2 : 1;
  }
  return 1;
}

// Splits off the container's own arguments: what follows the first that is no option.
Result<std::vector<std::string>> split_rest(const Command& command, CLI::App& app, Action& action,
                                            std::vector<std::string> args) {
  size_t at = 0;
  while (at < args.size() && args[at].size() > 1 && args[at][0] == '-' && args[at] != "--") {
    size_t length = option_length(app, args[at]);
    if (length == 0) return unknown_flag(command, app, args[at].substr(0, args[at].find('=')));
    if (at + length > args.size()) return fail_saying(EINVAL, args[at] + " needs a value");
    at += length;
  }
  size_t rest = at < args.size() && args[at] == "--" ? at + 1 : at;
  action.rest.assign(args.begin() + static_cast<ptrdiff_t>(std::min(rest, args.size())),
                     args.end());
  args.resize(std::min(at, args.size()));
  return args;
}

}  // namespace

std::string nearest(std::string_view wrong, const std::vector<std::string>& candidates) {
  if (wrong.size() > guessed_bytes_max) return "";
  std::string best;
  // A word that was not typed to its end: "--mem" for "--memory".
  for (const std::string& candidate : candidates) {
    bool begins = wrong.size() >= beginning_bytes_min && candidate.starts_with(wrong);
    if (begins && (best.empty() || candidate.size() < best.size())) best = candidate;
  }
  if (!best.empty()) return best;
  size_t best_distance = distance_max + 1;
  for (const std::string& candidate : candidates) {
    size_t distance = edit_distance(wrong, candidate);
    if (distance < best_distance && distance < std::max<size_t>(2, wrong.size() / 2)) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

Result<> parse(const Command& command, CLI::App& app, Action& action,
               std::vector<std::string> args) {
  if (command.takes_command) args = TRY(split_rest(command, app, action, std::move(args)));
  for (std::string& arg : args) {
    if (command.takes_command || arg == "--") break;
    arg = spelled_out(app, arg);
    if (arg.size() > 2 && arg.starts_with("--") &&
        app.get_option_no_throw(arg.substr(0, arg.find('='))) == nullptr) {
      return unknown_flag(command, app, arg.substr(0, arg.find('=')));
    }
  }
  std::reverse(args.begin(), args.end());  // CLI11 takes them from the back
  try {
    app.parse(args);
  } catch (const CLI::ParseError& error) {
    std::string what = error.what();
    std::replace(what.begin(), what.end(), '\n', ' ');
    return fail_saying(EINVAL,
                       what + " (usage: lyr " + command.name + " " + command.arguments + ")");
  }
  return {};
}

std::vector<std::string> short_form(std::vector<std::string> args) {
  if (args.size() < 2 || (args[0] != "image" && args[0] != "container")) return args;
  bool image = args[0] == "image";
  if (args[1] == "ls" || args[1] == "list") {
    args[1] = image ? "images" : "ps";
  } else if (args[1] == "rm" && image) {
    args[1] = "rmi";
  }
  args.erase(args.begin());
  return args;
}

}  // namespace lyr::tools
