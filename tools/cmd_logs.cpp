// SPDX-License-Identifier: Apache-2.0
// lyr logs: what a container wrote.
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/log_file.h"
#include "tools/command.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

class LogsAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-f,--follow", options_.follow, "Go on with what it writes");
    app.add_option("-n,--tail", tail_, "The last N lines, or all")->type_name("N");
    app.add_option("--since", since_, "From then on: 2026-01-02T03:04:05Z, or 10m ago")
        ->type_name("TIME");
    app.add_option("--until", until_, "Up to then")->type_name("TIME");
    app.add_flag("-t,--timestamps", options_.timestamps, "Each line's time before it");
    app.add_option("container", name_, "")->required();
  }

  Result<int> run(Context& context) override {
    int64_t now = sys::now_unix_ns();
    if (!since_.empty()) options_.since_unix_ns = TRY(parse_moment(since_, now));
    if (!until_.empty()) options_.until_unix_ns = TRY(parse_moment(until_, now));
    if (tail_ != "all" && tail_ != "-1") {  // docker's other word for it
      auto count = parse_size(tail_);
      if (!count) return fail_saying(EINVAL, "invalid --tail '" + tail_ + "' (a number, or all)");
      options_.tail_lines = *count;
    }
    auto* engine = TRY(context.engine());
    TRY(engine->logs(name_, options_, [&](const engine::LogLine& line) { return print(line); }));
    return 0;
  }

 private:
  bool print(const engine::LogLine& line) const {
    const Fd& to = line.standard_error ? sys::standard_error() : sys::standard_output();
    std::string text = options_.timestamps ? engine::format_time(line.time_unix_ns) + " " : "";
    text += line.text;
    return sys::write_all(to, text).has_value();
  }

  engine::LogOptions options_;
  std::string tail_ = "all", since_, until_, name_;
};

}  // namespace

extern const Command cmd_logs;
const Command cmd_logs{.name = "logs",
                       .summary = "Show what a container wrote",
                       .arguments = "[OPTIONS] CONTAINER",
                       .examples = "lyr logs -f web\nlyr logs --since 10m -t web",
                       .make = make_action<LogsAction>};

}  // namespace lyr::tools
