// SPDX-License-Identifier: Apache-2.0
#include "image/config.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <string_view>

#include "image/json_text.h"

namespace lyr::image {
namespace {

constexpr size_t list_items_max = 4096;  // of Env, Labels and their like

Result<std::vector<std::string>> keys_field(const Json& object, const char* key) {
  std::vector<std::string> keys;
  const Json* map = TRY(object_field(object, key));
  if (map == nullptr) return keys;
  for (const auto& [name, value] : map->items()) {
    if (name.empty() || name.find('\0') != std::string::npos) {
      return bad_json(std::string(key) + " holds an empty name or a NUL");
    }
    keys.push_back(name);
  }
  std::ranges::sort(keys);
  return keys;
}

Result<> read_run_section(const Json& section, Config& config) {
  config.env = TRY(texts_field(section, "Env"));
  config.entrypoint = TRY(text_or_texts_field(section, "Entrypoint"));
  config.cmd = TRY(text_or_texts_field(section, "Cmd"));
  config.shell = TRY(texts_field(section, "Shell"));
  config.user = TRY(text_field(section, "User"));
  config.working_dir = TRY(text_field(section, "WorkingDir"));
  config.stop_signal = TRY(text_field(section, "StopSignal"));
  config.volumes = TRY(keys_field(section, "Volumes"));
  config.exposed_ports = TRY(keys_field(section, "ExposedPorts"));
  config.labels = TRY(text_map_field(section, "Labels"));
  size_t longest =
      std::max({config.env.size(), config.entrypoint.size(), config.cmd.size(), config.shell.size(),
                config.volumes.size(), config.exposed_ports.size(), config.labels.size()});
  if (longest > list_items_max) {
    return bad_json("config has a list of more than " + std::to_string(list_items_max) + " items");
  }
  for (const std::string& variable : config.env) {
    if (variable.empty() || variable.front() == '=') return bad_json("Env has a nameless variable");
  }
  return {};
}

Result<> read_layers(const Json& root, Config& config) {
  const Json* rootfs = TRY(object_field(root, "rootfs"));
  if (rootfs == nullptr) return bad_json("config has no rootfs");
  std::string type = TRY(text_field(*rootfs, "type"));
  if (type != "layers") return bad_json("rootfs.type is '" + type.substr(0, 40) + "', not layers");
  std::vector<std::string> diff_ids = TRY(texts_field(*rootfs, "diff_ids"));
  if (diff_ids.size() > image_layers_max) {
    return bad_json("config has more than " + std::to_string(image_layers_max) + " layers");
  }
  for (const std::string& text : diff_ids) {
    auto diff_id = Digest::parse(text);
    if (!diff_id) return bad_json("diff_id '" + text.substr(0, 80) + "' is not sha256:…");
    config.diff_ids.push_back(*diff_id);
  }
  return {};
}

// The readers of a date take what they read off `text`.
std::optional<int> take_digits(std::string_view& text, size_t count) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  for (char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take_char(std::string_view& text, std::string_view one_of) {
  if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// "2026-11-24T14:05:50" in UTC, as RFC 3339 (5.6) has it; nothing for what is no day or no time of
// day.
std::optional<int64_t> take_date(std::string_view& text) {
  struct Part {
    size_t digits;
    std::string_view then;
    int value = 0;
  } parts[] = {{4, "-"}, {2, "-"}, {2, "Tt"}, {2, ":"}, {2, ":"}, {2, ""}};
  for (Part& part : parts) {
    auto value = take_digits(text, part.digits);
    if (!value) return std::nullopt;
    part.value = *value;
    if (!part.then.empty() && !take_char(text, part.then)) return std::nullopt;
  }
  std::tm time{};
  time.tm_year = parts[0].value - 1900;
  time.tm_mon = parts[1].value - 1;
  time.tm_mday = parts[2].value;
  time.tm_hour = parts[3].value;
  time.tm_min = parts[4].value;
  time.tm_sec = std::min(parts[5].value, 59);  // a leap second is one of the minute it ends
  if (time.tm_hour > 23 || time.tm_min > 59 || parts[5].value > 60) return std::nullopt;
  const std::tm said = time;
  auto seconds = static_cast<int64_t>(timegm(&time));
  // timegm makes 2 March of 30 February.
  if (time.tm_mon != said.tm_mon || time.tm_mday != said.tm_mday) return std::nullopt;
  return seconds;
}

}  // namespace

Result<Config> parse_config(std::string_view json) {
  Config config;
  Json root = TRY(parse_json(json, "config"));
  if (!root.is_object()) return bad_json("config is not an object");
  config.architecture = TRY(text_field(root, "architecture"));
  config.os = TRY(text_field(root, "os"));
  config.created = TRY(text_field(root, "created"));
  config.author = TRY(text_field(root, "author"));
  const Json* section = TRY(object_field(root, "config"));
  if (section != nullptr) TRY(read_run_section(*section, config));
  TRY(read_layers(root, config));
  return config;
}

int64_t created_unix(const Config& config) {
  std::string_view text = config.created;
  const std::optional<int64_t> date = take_date(text);
  if (!date) return 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (!take_digits(text, 1)) return 0;
    while (take_digits(text, 1)) continue;
  }
  if (text == "Z" || text == "z") return *date;
  if (!text.starts_with('+') && !text.starts_with('-')) return 0;
  const int64_t sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  auto hours = take_digits(text, 2);
  bool colon = take_char(text, ":");
  auto minutes = take_digits(text, 2);
  if (!hours || !colon || !minutes || *hours > 23 || *minutes > 59 || !text.empty()) return 0;
  return *date - sign * (*hours * 60 + *minutes) * 60;
}

}  // namespace lyr::image
