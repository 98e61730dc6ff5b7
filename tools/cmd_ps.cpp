// SPDX-License-Identifier: Apache-2.0
// lyr ps: containers.
#include <regex.h>

#include <cstdio>

#include "base/sys_event.h"
#include "engine/log_file.h"
#include "tools/command.h"
#include "tools/template.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

// docker's: a regular expression, found anywhere in the name; "/name" is the name too.
bool matches_name(const std::string& name, const std::string& pattern) {
  regex_t expression;
  if (::regcomp(&expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    return name.find(pattern) != std::string::npos;
  std::string rooted = "/" + name;
  bool found = ::regexec(&expression, name.c_str(), 0, nullptr, 0) == 0 ||
               ::regexec(&expression, rooted.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&expression);
  return found;
}

Result<> check_filter(const std::string& filter) {
  const std::vector<std::string> known{"name", "id", "status", "ancestor", "exited", "label"};
  size_t equals = filter.find('=');
  std::string key = filter.substr(0, equals);
  if (equals == std::string::npos || std::ranges::find(known, key) == known.end()) {
    return fail_saying(EINVAL, "invalid filter '" + filter +
                                   "' (name=, id=, status=, ancestor=, exited=, label=)");
  }
  const std::vector<std::string> statuses{"created", "running", "exited", "dead"};
  if (key == "status" && std::ranges::find(statuses, filter.substr(equals + 1)) == statuses.end()) {
    return fail_saying(
        EINVAL, "invalid filter '" + filter + "': a status is created, running, exited or dead");
  }
  return {};
}

bool matches(const engine::ContainerInfo& info, const std::string& key, const std::string& value) {
  if (key == "name") return matches_name(info.name, value);
  if (key == "id") return info.id.starts_with(value);
  if (key == "status") return engine::status_name(info.status) == value;
  if (key == "ancestor") return info.image_name == value || info.image_id.hex().starts_with(value);
  if (key == "exited")
    return info.status == engine::Status::exited && std::to_string(info.exit_code) == value;
  size_t equals = value.find('=');
  auto label = info.options.labels.find(value.substr(0, equals));
  if (label == info.options.labels.end()) return false;
  return equals == std::string::npos || label->second == value.substr(equals + 1);
}

Json ps_headings() {
  return {{"ID", "CONTAINER ID"},    {"Image", "IMAGE"},          {"Command", "COMMAND"},
          {"RunningFor", "CREATED"}, {"CreatedAt", "CREATED AT"}, {"Status", "STATUS"},
          {"State", "STATE"},        {"Ports", "PORTS"},          {"Names", "NAMES"},
          {"Labels", "LABELS"},      {"Networks", "NETWORKS"}};
}

class PsAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-a,--all", all_, "Not only those that run");
    app.add_flag("-q,--quiet", quiet_, "Ids only");
    app.add_flag("-l,--latest", latest_, "The one made last");
    app.add_option("-n,--last", last_, "The N made last")->type_name("N");
    app.add_flag("--no-trunc", whole_, "Whole ids and commands");
    app.add_option("-f,--filter", filters_, "name=, id=, status=, ancestor=, exited=, label=")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    app.add_option("--format", format_,
                   "json, or a template: {{.ID}} {{.Names}} {{.Image}} {{.Status}} ...")
        ->type_name("FORMAT");
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto containers = TRY(engine->containers());
    auto wanted = TRY(select(std::move(containers)));
    std::vector<std::vector<std::string>> cells{
        {"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"}};
    std::vector<Json> objects;
    int64_t now = sys::now_unix_ns();
    for (const engine::ContainerInfo& info : wanted) {
      std::string id = whole_ ? info.id : short_id(info.id);
      std::string command = command_text(info.command, whole_);
      std::string created = human_duration((now - info.created_unix_ns) / second_ns) + " ago";
      std::string status = status_text(info, now);
      cells.push_back({id, info.image_name, command, created, status, "", info.name});
      objects.push_back(
          {{"ID", id},
           {"Image", info.image_name},
           {"Command", command},
           {"RunningFor", created},
           {"CreatedAt", engine::format_time(info.created_unix_ns)},
           {"Status", status},
           {"State", engine::status_name(info.status)},
           {"Ports", ""},
           {"Names", info.name},
           {"Labels", labels(info)},
           {"Networks", info.options.network == engine::NetworkMode::host ? "host" : "none"}});
    }
    std::string text;
    if (!format_.empty()) {
      text = TRY(render_rows(format_, objects, ps_headings()));
    } else if (quiet_) {
      for (size_t i = 1; i < cells.size(); ++i) text += cells[i][0] + "\n";
    } else {
      text = table(cells);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
  }

 private:
  static std::string labels(const engine::ContainerInfo& info) {
    std::string text;
    for (const auto& [name, value] : info.options.labels)
      text += (text.empty() ? "" : ",") + name + "=" + value;
    return text;
  }

  Result<std::vector<engine::ContainerInfo>> select(std::vector<engine::ContainerInfo> all) const {
    std::vector<engine::ContainerInfo> wanted;
    bool by_status = false;
    for (const std::string& filter : filters_) TRY(check_filter(filter));
    for (const std::string& filter : filters_)
      by_status |= filter.starts_with("status=") || filter.starts_with("exited=");
    for (engine::ContainerInfo& info : all) {
      bool take =
          all_ || latest_ || last_ > 0 || by_status || info.status == engine::Status::running;
      for (const std::string& filter : filters_) {
        size_t equals = filter.find('=');
        take = take && matches(info, filter.substr(0, equals), filter.substr(equals + 1));
      }
      if (take) wanted.push_back(std::move(info));
    }
    size_t count = latest_ ? 1 : last_ > 0 ? static_cast<size_t>(last_) : wanted.size();
    if (wanted.size() > count) wanted.resize(count);
    return wanted;
  }

  bool all_ = false, quiet_ = false, latest_ = false, whole_ = false;
  int last_ = 0;
  std::vector<std::string> filters_;
  std::string format_;
};

}  // namespace

extern const Command cmd_ps;
const Command cmd_ps{.name = "ps",
                     .summary = "List containers",
                     .arguments = "[OPTIONS]",
                     .examples = "lyr ps\nlyr ps -a --filter status=exited\nlyr ps -aq",
                     .make = make_action<PsAction>};

}  // namespace lyr::tools
