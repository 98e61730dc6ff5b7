// SPDX-License-Identifier: Apache-2.0
#include "image/instruction.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "image/clean_path.h"
#include "image/json_text.h"
#include "image/shell_word.h"

namespace lyr::image {
namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr uint32_t port_max = 65535;

std::string_view trim(std::string_view text) {
  size_t from = text.find_first_not_of(blanks);
  if (from == text.npos) return "";
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

Failure wrong(const std::string& why) { return fail_saying(EINVAL, why); }

std::string_view variable_name(std::string_view assignment) {
  return assignment.substr(0, assignment.find('='));
}

Variables variables_of(const Config& config) {
  return [&config](std::string_view name) -> std::string {
    auto found = std::ranges::find(config.env, name, variable_name);
    if (found == config.env.end() || found->size() == name.size()) return "";
    return found->substr(name.size() + 1);
  };
}

// ["a", "b"]; nothing for what is no list of texts: then it is a command for the shell.
std::optional<std::vector<std::string>> list_in(std::string_view text) {
  if (!text.starts_with('[')) return std::nullopt;
  auto json = parse_json(text, "list");
  if (!json || !json->is_array()) return std::nullopt;
  std::vector<std::string> list;
  for (const Json& item : *json) {
    if (!item.is_string()) return std::nullopt;
    list.push_back(item.get<std::string>());
  }
  return list;
}

std::vector<std::string> command_in(std::string_view text, const Config& config) {
  auto list = list_in(text);
  if (list) return std::move(*list);
  std::vector<std::string> command = config.shell;
  if (command.empty()) command = {"/bin/sh", "-c"};
  command.emplace_back(text);
  return command;
}

void insert_sorted(std::vector<std::string>& list, std::string item) {
  auto at = std::ranges::lower_bound(list, item);
  if (at == list.end() || *at != item) list.insert(at, std::move(item));
}

Result<> set_command(std::string_view text, ConfigChange& change) {
  change.config.cmd = command_in(text, change.config);
  change.has_command = true;
  return {};
}

// The command is for the entrypoint that was: another one has none until there is a CMD.
Result<> set_entrypoint(std::string_view text, ConfigChange& change) {
  change.config.entrypoint = command_in(text, change.config);
  if (!change.config.entrypoint.empty() && !change.has_command) change.config.cmd.clear();
  return {};
}

using Assignment = std::pair<std::string, std::string>;

// "A=1 B='2 3'", or the old "A 1 and the rest".
Result<std::vector<Assignment>> assignments_in(std::string_view text, const Config& config) {
  auto variables = variables_of(config);
  std::vector<Assignment> assignments;
  auto words = split_words(text);
  if (words[0].find('=') == std::string::npos) {
    if (words.size() < 2) return wrong("'" + words[0] + "' has no value (NAME=VALUE)");
    std::string name = TRY(expand_word(words[0], variables));
    std::string value = TRY(expand_word(trim(text.substr(words[0].size())), variables));
    assignments.emplace_back(std::move(name), std::move(value));
    return assignments;
  }
  for (const std::string& word : words) {
    size_t equals = word.find('=');
    if (equals == word.npos) return wrong("'" + word + "' has no = (NAME=VALUE)");
    if (equals == 0) return wrong("'" + word + "' has no name (NAME=VALUE)");
    std::string name = TRY(expand_word(word.substr(0, equals), variables));
    std::string value = TRY(expand_word(word.substr(equals + 1), variables));
    if (name.empty()) return wrong("'" + word + "' has no name (NAME=VALUE)");
    assignments.emplace_back(std::move(name), std::move(value));
  }
  return assignments;
}

Result<> set_variables(std::string_view text, ConfigChange& change) {
  auto assignments = TRY(assignments_in(text, change.config));
  for (auto& [name, value] : assignments) {
    auto& env = change.config.env;
    auto found = std::ranges::find(env, name, variable_name);
    if (found == env.end()) found = env.insert(env.end(), "");
    *found = name + "=" + value;
  }
  return {};
}

Result<> set_labels(std::string_view text, ConfigChange& change) {
  auto assignments = TRY(assignments_in(text, change.config));
  for (auto& [name, value] : assignments) change.config.labels[name] = std::move(value);
  return {};
}

std::optional<uint32_t> port_number(std::string_view text) {
  uint32_t port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && port > 0 && port <= port_max ? std::optional(port) : std::nullopt;
}

// "80", "80/udp", "8000-8010/tcp".
Result<> expose(const std::string& text, Config& config) {
  size_t slash = std::min(text.find('/'), text.size());
  std::string protocol = slash == text.size() ? "tcp" : lower(text.substr(slash + 1));
  std::string_view ports = std::string_view(text).substr(0, slash);
  size_t dash = std::min(ports.find('-'), ports.size());
  auto first = port_number(ports.substr(0, dash));
  auto last = dash == ports.size() ? first : port_number(ports.substr(dash + 1));
  bool known = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  if (!first || !last || *first > *last || !known)
    return wrong("'" + text + "' is no port (PORT[-PORT][/tcp|udp|sctp])");
  for (uint32_t port = *first; port <= *last; ++port)
    insert_sorted(config.exposed_ports, std::to_string(port) + "/" + protocol);
  return {};
}

Result<> expose_ports(std::string_view text, ConfigChange& change) {
  for (const std::string& word : split_words(text)) {
    std::string port = TRY(expand_word(word, variables_of(change.config)));
    TRY(expose(port, change.config));
  }
  return {};
}

Result<> add_volumes(std::string_view text, ConfigChange& change) {
  auto list = list_in(text);
  for (const std::string& word : list ? *list : split_words(text)) {
    std::string path = TRY(expand_word(word, variables_of(change.config)));
    if (path.empty()) return wrong("a volume's path is empty");
    insert_sorted(change.config.volumes, std::move(path));
  }
  return {};
}

Result<> set_user(std::string_view text, ConfigChange& change) {
  if (split_words(text).size() != 1) return wrong("a user is one word");
  change.config.user = TRY(expand_word(text, variables_of(change.config)));
  return {};
}

// From where it was, if it is relative.
Result<> set_directory(std::string_view text, ConfigChange& change) {
  std::string path = TRY(expand_word(text, variables_of(change.config)));
  if (path.empty()) return {};
  std::string& directory = change.config.working_dir;
  std::string cleaned = clean_path(path.starts_with('/') ? path : "/" + directory + "/" + path);
  directory = cleaned.empty() ? "/" : cleaned;
  return {};
}

Result<> set_stop_signal(std::string_view text, ConfigChange& change) {
  change.config.stop_signal = TRY(expand_word(text, variables_of(change.config)));
  return {};
}

Result<> add_trigger(std::string_view text, ConfigChange& change) {
  std::string first = upper(split_words(text)[0]);
  if (first == "ONBUILD" || first == "FROM" || first == "MAINTAINER")
    return wrong(first + " is not allowed there");
  change.on_build.emplace_back(text);
  return {};
}

struct Known {
  std::string_view name;
  Result<> (*apply)(std::string_view text, ConfigChange& change);
};
constexpr auto known_instructions = std::to_array<Known>({
    {"CMD", set_command},
    {"ENTRYPOINT", set_entrypoint},
    {"ENV", set_variables},
    {"EXPOSE", expose_ports},
    {"LABEL", set_labels},
    {"ONBUILD", add_trigger},
    {"STOPSIGNAL", set_stop_signal},
    {"USER", set_user},
    {"VOLUME", add_volumes},
    {"WORKDIR", set_directory},
});

}  // namespace

Result<> apply_instruction(std::string_view text, ConfigChange& change) {
  std::string_view whole = trim(text);
  std::string name = upper(whole.substr(0, whole.find_first_of(blanks)));
  const auto* known = std::ranges::find(known_instructions, name, &Known::name);
  if (known == known_instructions.end()) {
    std::string names;
    for (const Known& one : known_instructions)
      names += (names.empty() ? "" : ", ") + std::string(one.name);
    return wrong("invalid change '" + std::string(text) + "': it starts with none of " + names);
  }
  std::string_view rest = trim(whole.substr(name.size()));
  Result<> done = rest.empty() ? wrong(name + " takes an argument") : known->apply(rest, change);
  if (done) return {};
  return wrong("invalid change '" + std::string(text) + "': " + describe(done.error()));
}

}  // namespace lyr::image
