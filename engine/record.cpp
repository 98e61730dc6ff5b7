// SPDX-License-Identifier: Apache-2.0
#include "engine/record.h"

#include <nlohmann/json.hpp>

#include "base/sys_file.h"

namespace lyr::engine {
namespace {

using Json = nlohmann::json;

constexpr int record_version = 1;
constexpr size_t record_bytes_max = 4 << 20;
constexpr char container_file[] = "container.json";
constexpr char exit_file[] = "exit.json";
constexpr char run_file[] = "state.json";

// The library throws on wrong types; this is the edge where that ends.
template <class Read>
Result<> guarded(const char* name, Read read) {
  try {
    read();
    return {};
  } catch (const nlohmann::json::exception&) {
    return fail(EUCLEAN, "read", name);
  }
}

std::string dump(const Json& json) {
  // What is not UTF-8 (an argument may be anything) is kept as replacement characters, never lost
  // silently to a failure.
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

// A number with a fraction or beyond 64 bits is none of ours: the library would convert it somehow.
template <class T>
void get_integer(const Json& json, T& value) {
  value = static_cast<T>(json.get_ref<const Json::number_integer_t&>());
}

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

template <class T>
void take(const Json& json, const char* key, std::optional<T>& value) {
  if (!json.contains(key)) return;
  if constexpr (std::is_integral_v<T>) {
    get_integer(json.at(key), value.emplace());
  } else {
    value = json.at(key).get<T>();
  }
}

Json resources_to_json(const sandbox::Resources& resources) {
  Json json = Json::object();
  put(json, "memory_bytes", resources.memory_bytes);
  put(json, "pids", resources.pids);
  put(json, "cpu_quota_us", resources.cpu_quota_us);
  json["cpu_period_us"] = resources.cpu_period_us;
  put(json, "cpu_shares", resources.cpu_shares);
  return json;
}

void resources_from_json(const Json& json, sandbox::Resources& resources) {
  take(json, "memory_bytes", resources.memory_bytes);
  take(json, "pids", resources.pids);
  take(json, "cpu_quota_us", resources.cpu_quota_us);
  get_integer(json.at("cpu_period_us"), resources.cpu_period_us);
  take(json, "cpu_shares", resources.cpu_shares);
}

Json options_to_json(const CreateOptions& options) {
  Json json;
  json["command"] = options.command;
  put(json, "entrypoint", options.entrypoint);
  json["env"] = options.env;
  put(json, "working_dir", options.working_dir);
  put(json, "user", options.user);
  json["hostname"] = options.hostname;
  for (const VolumeMount& volume : options.volumes) {
    json["volumes"].push_back({volume.source, volume.destination, volume.read_only});
  }
  for (const TmpfsMount& tmpfs : options.tmpfs) {
    json["tmpfs"].push_back({tmpfs.destination, tmpfs.options});
  }
  json["read_only"] = options.read_only;
  json["network"] = options.network == NetworkMode::host ? "host" : "none";
  json["cap_add"] = options.cap_add;
  json["cap_drop"] = options.cap_drop;
  json["resources"] = resources_to_json(options.resources);
  for (const sandbox::Rlimit& limit : options.rlimits) {
    json["rlimits"].push_back({limit.type, limit.soft, limit.hard});
  }
  json["init"] = options.init;
  json["labels"] = options.labels;
  json["interactive"] = options.interactive;
  json["terminal"] = options.terminal;
  json["auto_remove"] = options.auto_remove;
  put(json, "stop_signal", options.stop_signal);
  put(json, "stop_timeout_seconds", options.stop_timeout_seconds);
  json["no_new_privileges"] = options.no_new_privileges;
  json["seccomp_unconfined"] = options.seccomp_unconfined;
  if (options.union_mode != UnionMode::automatic)
    json["union"] = union_mode_name(options.union_mode);
  return json;
}

void mounts_from_json(const Json& json, CreateOptions& options) {
  for (const Json& volume : json.value("volumes", Json::array())) {
    options.volumes.push_back({volume.at(0).get<std::string>(), volume.at(1).get<std::string>(),
                               volume.at(2).get<bool>()});
  }
  for (const Json& tmpfs : json.value("tmpfs", Json::array())) {
    options.tmpfs.push_back({tmpfs.at(0).get<std::string>(), tmpfs.at(1).get<std::string>()});
  }
  for (const Json& limit : json.value("rlimits", Json::array())) {
    options.rlimits.push_back(
        {limit.at(0).get<std::string>(), limit.at(1).get<uint64_t>(), limit.at(2).get<uint64_t>()});
  }
}

// False: a word that is none of ours.
bool options_from_json(const Json& json, CreateOptions& options) {
  json.at("command").get_to(options.command);
  take(json, "entrypoint", options.entrypoint);
  json.at("env").get_to(options.env);
  take(json, "working_dir", options.working_dir);
  take(json, "user", options.user);
  json.at("hostname").get_to(options.hostname);
  mounts_from_json(json, options);
  json.at("read_only").get_to(options.read_only);
  bool host = json.at("network") == "host";
  options.network = host ? NetworkMode::host : NetworkMode::none;
  json.at("cap_add").get_to(options.cap_add);
  json.at("cap_drop").get_to(options.cap_drop);
  resources_from_json(json.at("resources"), options.resources);
  json.at("init").get_to(options.init);
  json.at("labels").get_to(options.labels);
  json.at("interactive").get_to(options.interactive);
  json.at("terminal").get_to(options.terminal);
  json.at("auto_remove").get_to(options.auto_remove);
  take(json, "stop_signal", options.stop_signal);
  take(json, "stop_timeout_seconds", options.stop_timeout_seconds);
  json.at("no_new_privileges").get_to(options.no_new_privileges);
  json.at("seccomp_unconfined").get_to(options.seccomp_unconfined);
  auto mode = union_mode_of(json.value("union", "auto"));
  options.union_mode = mode.value_or(UnionMode::automatic);
  return mode.has_value() && (host || json.at("network") == "none");
}

Json identity_to_json(const ProcessIdentity& identity) {
  return {
      {"pid", identity.pid}, {"start_ticks", identity.start_ticks}, {"boot_id", identity.boot_id}};
}

void identity_from_json(const Json& json, ProcessIdentity& identity) {
  get_integer(json.at("pid"), identity.pid);
  get_integer(json.at("start_ticks"), identity.start_ticks);
  json.at("boot_id").get_to(identity.boot_id);
}

// The file's JSON; absent when there is no file, or an empty one: a power cut leaves that of a file
// that was replaced and not yet on disk.
Result<std::optional<Json>> read_json(const Fd& directory, const char* name) {
  auto text = sys::read_file_at(directory, name, record_bytes_max);
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return std::unexpected(std::move(text).error());
  if (text->empty()) return std::nullopt;
  Json json = Json::parse(*text, nullptr, false);
  auto version = json.find("version");  // of no object: none
  if (json.is_discarded() || version == json.end() || *version != record_version) {
    return fail(EUCLEAN, "read", name);
  }
  return json;
}

}  // namespace

Result<> write_container(const Fd& persistent, const ContainerInfo& info) {
  Json json;
  json["version"] = record_version;
  json["id"] = info.id;
  json["name"] = info.name;
  json["image_name"] = info.image_name;
  json["image_id"] = info.image_id.text();
  json["command"] = info.command;
  json["created_unix_ns"] = info.created_unix_ns;
  json["warnings"] = info.warnings;
  json["options"] = options_to_json(info.options);
  return sys::replace_file_at(persistent, container_file, dump(json), 0600);
}

Result<> make_container_durable(const Fd& persistent) {
  return sys::make_durable_at(persistent, container_file);
}

Result<ContainerInfo> read_container(const Fd& persistent) {
  auto json = TRY(read_json(persistent, container_file));
  if (!json) return fail(ENOENT, "read", container_file);
  ContainerInfo info;
  std::string image;
  bool known = false;
  TRY(guarded(container_file, [&] {
    json->at("id").get_to(info.id);
    json->at("name").get_to(info.name);
    json->at("image_name").get_to(info.image_name);
    json->at("image_id").get_to(image);
    json->at("command").get_to(info.command);
    get_integer(json->at("created_unix_ns"), info.created_unix_ns);
    json->at("warnings").get_to(info.warnings);
    known = options_from_json(json->at("options"), info.options);
  }));
  if (!known) return fail(EUCLEAN, "read", container_file);
  info.image_id = TRY(Digest::parse(image));
  return info;
}

Result<> write_exit(const Fd& persistent, const ExitRecord& record) {
  Json json{{"version", record_version},
            {"exit_code", record.exit_code},
            {"started_unix_ns", record.started_unix_ns},
            {"finished_unix_ns", record.finished_unix_ns},
            {"dead", record.dead},
            {"error", record.error}};
  return sys::replace_file_at(persistent, exit_file, dump(json), 0600);
}

Result<std::optional<ExitRecord>> read_exit(const Fd& persistent) {
  auto json = TRY(read_json(persistent, exit_file));
  if (!json) return std::nullopt;
  ExitRecord record;
  TRY(guarded(exit_file, [&] {
    get_integer(json->at("exit_code"), record.exit_code);
    get_integer(json->at("started_unix_ns"), record.started_unix_ns);
    get_integer(json->at("finished_unix_ns"), record.finished_unix_ns);
    json->at("dead").get_to(record.dead);
    json->at("error").get_to(record.error);
  }));
  return record;
}

Result<> write_run(const Fd& runtime, const RunRecord& record) {
  Json json{{"version", record_version},
            {"supervisor", identity_to_json(record.supervisor)},
            {"container", identity_to_json(record.container)},
            {"started_unix_ns", record.started_unix_ns}};
  return sys::replace_file_at(runtime, run_file, dump(json), 0600);
}

Result<std::optional<RunRecord>> read_run(const Fd& runtime) {
  auto json = TRY(read_json(runtime, run_file));
  if (!json) return std::nullopt;
  RunRecord record;
  TRY(guarded(run_file, [&] {
    identity_from_json(json->at("supervisor"), record.supervisor);
    identity_from_json(json->at("container"), record.container);
    get_integer(json->at("started_unix_ns"), record.started_unix_ns);
  }));
  return record;
}

}  // namespace lyr::engine
