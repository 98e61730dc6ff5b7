// SPDX-License-Identifier: Apache-2.0
// lyr inspect: all there is to know of containers and images, in docker's JSON shape.
#include <cstdio>

#include "engine/log_file.h"
#include "image/config.h"
#include "image/reference.h"
#include "tools/command.h"
#include "tools/template.h"

namespace lyr::tools {
namespace {

std::string time_text(int64_t unix_ns) {
  return unix_ns == 0 ? "0001-01-01T00:00:00Z" : engine::format_time(unix_ns);
}

Json mounts_of(const engine::ContainerInfo& info) {
  Json mounts = Json::array();
  for (const engine::VolumeMount& volume : info.options.volumes) {
    bool bind = volume.source.starts_with('/');
    mounts.push_back({{"Type", bind ? "bind" : "volume"},
                      {bind ? "Source" : "Name", volume.source},
                      {"Destination", volume.destination},
                      {"RW", !volume.read_only}});
  }
  return mounts;
}

Json container_json(const engine::ContainerInfo& info) {
  const engine::CreateOptions& options = info.options;
  bool running = info.status == engine::Status::running;
  Json json;
  json["Id"] = info.id;
  json["Name"] = "/" + info.name;
  json["Created"] = time_text(info.created_unix_ns);
  json["Path"] = info.command.front();
  json["Args"] = std::vector<std::string>(info.command.begin() + 1, info.command.end());
  json["Image"] = info.image_id.text();
  json["State"] = {{"Status", engine::status_name(info.status)},
                   {"Running", running},
                   {"Paused", false},
                   {"Dead", info.status == engine::Status::dead},
                   {"Pid", info.pid},
                   {"ExitCode", info.exit_code},
                   {"Error", info.error},
                   {"StartedAt", time_text(info.started_unix_ns)},
                   {"FinishedAt", time_text(info.finished_unix_ns)}};
  json["Config"] = {{"Hostname", options.hostname},
                    {"User", options.user.value_or("")},
                    {"Tty", options.terminal},
                    {"OpenStdin", options.interactive},
                    {"Env", options.env},
                    {"Cmd", options.command},
                    {"Image", info.image_name},
                    {"WorkingDir", options.working_dir.value_or("")},
                    {"Entrypoint", options.entrypoint.value_or(std::vector<std::string>{})},
                    {"Labels", options.labels},
                    {"StopSignal", options.stop_signal.value_or("SIGTERM")}};
  json["HostConfig"] = {
      {"AutoRemove", options.auto_remove},
      {"ReadonlyRootfs", options.read_only},
      {"NetworkMode", options.network == engine::NetworkMode::host ? "host" : "none"},
      {"CapAdd", options.cap_add},
      {"CapDrop", options.cap_drop},
      {"Init", options.init},
      {"Memory", options.resources.memory_bytes.value_or(0)},
      {"PidsLimit", options.resources.pids.value_or(0)},
      {"CpuQuota", options.resources.cpu_quota_us.value_or(0)},
      {"CpuPeriod", options.resources.cpu_period_us}};
  json["Mounts"] = mounts_of(info);
  return json;
}

Result<Json> image_json(store::Store& store, const store::ImageRecord& record) {
  auto config = TRY(image::parse_config(record.config_json));
  auto tags = TRY(store.tags());
  Json names = Json::array();
  for (const store::Tag& tag : tags) {
    if (tag.image == record.id) names.push_back(image::familiar(tag.name));
  }
  Json layers = Json::array();
  for (const Digest& diff_id : record.diff_ids) layers.push_back(diff_id.text());
  Json volumes = Json::object();
  for (const std::string& path : config.volumes) volumes[path] = Json::object();
  Json ports = Json::object();
  for (const std::string& port : config.exposed_ports) ports[port] = Json::object();
  return Json{{"Id", record.id.text()},
              {"RepoTags", names},
              {"Created", config.created},
              {"Author", config.author},
              {"Architecture", config.architecture},
              {"Os", config.os},
              {"Size", record.content_bytes},
              {"Config",
               {{"User", config.user},
                {"Env", config.env},
                {"Cmd", config.cmd},
                {"Entrypoint", config.entrypoint},
                {"WorkingDir", config.working_dir},
                {"Labels", config.labels},
                {"StopSignal", config.stop_signal},
                {"Volumes", volumes},
                {"ExposedPorts", ports}}},
              {"RootFS", {{"Type", "layers"}, {"Layers", layers}}}};
}

class InspectAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-f,--format", format_, "A template: {{.State.Status}}")->type_name("FORMAT");
    app.add_option("--type", type_, "container or image")->type_name("TYPE");
    app.add_option("names", names_, "")->required();
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    std::vector<Json> found;
    int code = 0;
    for (const std::string& name : names_) {
      auto json = one(*engine, name);
      if (json) {
        found.push_back(std::move(*json));
        continue;
      }
      std::fprintf(stderr, "lyr inspect: %s\n", describe(json.error()).c_str());
      code = 1;
    }
    std::string text = format_.empty()
                           ? Json(found).dump(4, ' ', false, Json::error_handler_t::replace) + "\n"
                           : TRY(render_rows(format_, found));
    std::fputs(text.c_str(), stdout);
    return code;
  }

 private:
  Result<Json> one(engine::Engine& engine, const std::string& name) const {
    if (type_ != "image") {
      auto info = engine.find(name);
      if (info) return container_json(*info);
      if (type_ == "container" || info.error().code != ENOENT)
        return std::unexpected(std::move(info).error());
    }
    auto record = engine.find_image(name);
    if (!record && record.error().code == ENOENT && type_.empty())
      return fail_saying(ENOENT, "No such object: " + name);
    if (!record) return std::unexpected(std::move(record).error());
    auto* store = TRY(engine.store());
    return image_json(*store, *record);
  }

  std::string format_, type_;
  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_inspect;
const Command cmd_inspect{
    .name = "inspect",
    .summary = "Show all there is to know of containers and images",
    .arguments = "[OPTIONS] NAME|ID [NAME|ID...]",
    .examples = "lyr inspect web\nlyr inspect -f '{{.State.Pid}}' web\nlyr inspect debian",
    .make = make_action<InspectAction>};

}  // namespace lyr::tools
