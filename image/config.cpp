// SPDX-License-Identifier: Apache-2.0
#include "image/config.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

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
  config.user = TRY(text_field(section, "User"));
  config.working_dir = TRY(text_field(section, "WorkingDir"));
  config.stop_signal = TRY(text_field(section, "StopSignal"));
  config.volumes = TRY(keys_field(section, "Volumes"));
  config.exposed_ports = TRY(keys_field(section, "ExposedPorts"));
  config.labels = TRY(text_map_field(section, "Labels"));
  size_t longest =
      std::max({config.env.size(), config.entrypoint.size(), config.cmd.size(),
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
  std::tm time{};
  int used = 0;
  const char* text = config.created.c_str();
  if (std::sscanf(text, "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d%n", &time.tm_year, &time.tm_mon,
                  &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec, &used) != 6) {
    return 0;
  }
  text += used;
  if (*text == '.') ++text;
  while (*text >= '0' && *text <= '9') ++text;
  int64_t offset = 0;
  if (*text == '+' || *text == '-') {
    int hours = 0;
    int minutes = 0;
    if (std::sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2) return 0;
    offset = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
  } else if (*text != 'Z' && *text != 'z') {
    return 0;
  }
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return static_cast<int64_t>(timegm(&time)) - offset;
}

}  // namespace lyr::image
