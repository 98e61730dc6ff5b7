// SPDX-License-Identifier: Apache-2.0
// lyr system prune: everything that nobody uses.
#include <cstdio>

#include "base/sys_event.h"
#include "tools/command.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

void list(const char* heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::printf("%s:\n", heading);
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  std::puts("");
}

class SystemPruneAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-a,--all", options_.all_images, "Images with a name, too, that no container has");
    app.add_flag("--volumes", options_.volumes,
                 "Volumes without a name, too, that no container has");
    app.add_flag("-f,--force", force_, "Do not ask");
    app.add_option("--filter", filters_, "until=MOMENT: only what was made before")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
  }

  Result<int> run(Context& context) override {
    for (const std::string& filter : filters_) {
      if (!filter.starts_with("until=")) {
        return fail_saying(EINVAL, "invalid filter '" + filter + "' (until=MOMENT)");
      }
      options_.created_before_ns = TRY(parse_moment(filter.substr(6), sys::now_unix_ns()));
    }
    if (options_.volumes && !filters_.empty()) {
      return fail_saying(EINVAL, "the filter until= has no meaning for volumes; drop --volumes");
    }
    if (!force_ && !confirmed()) return 0;
    auto* engine = TRY(context.engine());
    auto report = TRY(engine->prune(options_));
    list("Deleted Containers", report.containers);
    list("Deleted Volumes", report.volumes);
    list("Deleted Images", report.images);
    std::printf("Total reclaimed space: %s\n", human_size(report.reclaimed_bytes).c_str());
    return 0;
  }

 private:
  bool confirmed() const {
    std::puts("WARNING! This will remove:\n  - all stopped containers");
    if (options_.volumes) std::puts("  - all anonymous volumes not used by at least one container");
    std::puts(options_.all_images
                  ? "  - all images without at least one container associated to them"
                  : "  - all dangling images");
    std::printf("\nAre you sure you want to continue? [y/N] ");
    static_cast<void>(std::fflush(stdout));
    char answer[16] = {};
    if (std::fgets(answer, sizeof answer, stdin) == nullptr) std::puts("");
    return answer[0] == 'y' || answer[0] == 'Y';
  }

  engine::PruneOptions options_;
  bool force_ = false;
  std::vector<std::string> filters_;
};

}  // namespace

extern const Command cmd_system_prune;
const Command cmd_system_prune{.name = "system prune",
                               .summary = "Remove stopped containers and images that nobody uses",
                               .arguments = "[OPTIONS]",
                               .examples =
                                   "lyr system prune\nlyr system prune -a -f --volumes\n"
                                   "lyr system prune -f --filter until=24h",
                               .make = make_action<SystemPruneAction>};

}  // namespace lyr::tools
