// SPDX-License-Identifier: Apache-2.0
// lyr gc: the space of what no image needs.
#include <cstdio>

#include "tools/command.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

std::string counted(uint64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

class GcAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-n,--dry-run", dry_run_, "Tell what would be done, and do nothing");
  }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    store::CollectOptions options;
    options.dry_run = dry_run_;
    options.hot_files = true;
    auto report = TRY(store->collect(options));
    std::printf("Objects: %lu, of which no image needs %lu (%s)\n", report.objects,
                report.dead_objects, human_size(report.dead_bytes).c_str());
    std::printf("Packs: %lu removed, %lu written anew, %lu thinned out\n", report.packs_removed,
                report.packs_rewritten, report.packs_punched);
    if (report.hot_files_removed > 0) {
      std::printf("Hot files: %lu removed\n", report.hot_files_removed);
    }
    say_what_stays(report);
    uint64_t gained = report.bytes_before - std::min(report.bytes_before, report.bytes_after);
    std::printf("Total %s space: %s\n", dry_run_ ? "reclaimable" : "reclaimed",
                human_size(gained).c_str());
    return 0;
  }

 private:
  static void say_what_stays(const store::CollectReport& report) {
    if (report.packs_busy > 0) {
      std::fprintf(stderr, "lyr gc: %s left alone: an image that is being loaded needs them\n",
                   counted(report.packs_busy, "pack").c_str());
    }
    if (report.packs_unreadable > 0) {
      std::fprintf(stderr, "lyr gc: %s left alone: damaged (lyr store scrub tells more)\n",
                   counted(report.packs_unreadable, "pack").c_str());
    }
  }

  bool dry_run_ = false;
};

}  // namespace

extern const Command cmd_gc;
const Command cmd_gc{.name = "gc",
                     .summary = "Give back the space of what no image needs",
                     .arguments = "[OPTIONS]",
                     .examples = "lyr gc --dry-run\nlyr gc",
                     .make = make_action<GcAction>};

}  // namespace lyr::tools
