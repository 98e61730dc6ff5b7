// SPDX-License-Identifier: Apache-2.0
#include "image/child_config.h"

#include "image/json_text.h"

namespace lyr::image {
namespace {

template <class Value>
void set(Json& object, const char* key, const Value& value) {
  if (value.empty()) {
    object.erase(key);
  } else {
    object[key] = value;
  }
}

// As config.json has a set: {"80/tcp": {}}.
void set_keys(Json& object, const char* key, const std::vector<std::string>& keys) {
  object.erase(key);
  for (const std::string& one : keys) object[key][one] = Json::object();
}

void write_run_section(Json& section, const ConfigChange& change) {
  const Config& config = change.config;
  set(section, "Env", config.env);
  set(section, "Entrypoint", config.entrypoint);
  set(section, "Cmd", config.cmd);
  set(section, "User", config.user);
  set(section, "WorkingDir", config.working_dir);
  set(section, "StopSignal", config.stop_signal);
  set(section, "Labels", config.labels);
  set(section, "OnBuild", change.on_build);
  set_keys(section, "Volumes", config.volumes);
  set_keys(section, "ExposedPorts", config.exposed_ports);
}

Json history_entry(const ChildImage& child) {
  Json entry;
  entry["created"] = child.created;
  set(entry, "created_by", child.created_by);
  set(entry, "author", child.author);
  set(entry, "comment", child.comment);
  if (!child.layer) entry["empty_layer"] = true;
  return entry;
}

}  // namespace

Result<std::string> child_config(std::string_view parent, const ChildImage& child) {
  auto checked = TRY(parse_config(parent));
  if (child.layer && checked.diff_ids.size() >= image_layers_max)
    return bad_json("the image has " + std::to_string(image_layers_max) + " layers already");
  Json root = TRY(parse_json(parent, "config"));
  const Json* history = TRY(array_field(root, "history"));
  if (history == nullptr) root["history"] = Json::array();
  // What docker says of the build that made the parent.
  for (const char* key : {"container", "container_config", "docker_version", "id", "parent"})
    root.erase(key);
  root["created"] = child.created;
  set(root, "author", child.author);
  Json& section = root["config"];
  if (!section.is_object()) section = Json::object();
  write_run_section(section, child.change);
  root["history"].push_back(history_entry(child));
  if (child.layer) root["rootfs"]["diff_ids"].push_back(child.layer->text());
  // What is not UTF-8 is replaced: JSON has no way to say it.
  std::string text = root.dump(-1, ' ', false, Json::error_handler_t::replace);
  TRY(parse_config(text));
  return text;
}

}  // namespace lyr::image
