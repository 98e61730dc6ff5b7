// SPDX-License-Identifier: Apache-2.0
// lyr store compact: packs written anew, compressed.
#include <unistd.h>

#include <cstdio>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tools/command.h"
#include "tools/progress_line.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

class StoreCompactAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("--older-than", older_than_,
                   "Only packs written before that long: 24h, 10m (default: all)")
        ->type_name("DURATION");
    app.add_flag("--background", background_,
                 "Return at once, and work while nobody else wants to");
    app.add_flag("-q,--quiet", quiet_, "No progress");
  }

  Result<int> run(Context& context) override {
    store::CollectOptions options;
    options.compress = true;
    if (!older_than_.empty()) {
      auto age_ns = parse_duration(older_than_);
      if (!age_ns) return fail_saying(EINVAL, "invalid duration: '" + older_than_ + "' (24h, 10m)");
      options.older_than_s = *age_ns / 1'000'000'000;
    }
    auto* engine = TRY(context.engine());
    if (background_) return TRY(go_background(*engine, options));
    ProgressLine line("compacting", !quiet_);
    options.progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto* store = TRY(engine->store());
    auto report = store->collect(options);
    line.clear();
    if (!report) return std::unexpected(std::move(report).error());
    uint64_t gained = report->bytes_before - std::min(report->bytes_before, report->bytes_after);
    std::printf("%lu packs written anew\nTotal reclaimed space: %s\n", report->packs_rewritten,
                human_size(gained).c_str());
    return 0;
  }

 private:
  // Every pack is a step of its own: the work may be killed at any moment and loses at most the
  // one it is at.
  static Result<int> go_background(engine::Engine& engine, const store::CollectOptions& options) {
    auto child = TRY(sys::clone_process());
    if (child.pid == 0) {
      static_cast<void>(sys::become_background());
      auto store = engine.store();
      bool done = store && (*store)->collect(options);
      ::_exit(done ? 0 : 1);
    }
    std::printf("%d\n", child.pid);
    return 0;
  }

  std::string older_than_;
  bool background_ = false;
  bool quiet_ = false;
};

}  // namespace

extern const Command cmd_store_compact;
const Command cmd_store_compact{
    .name = "store compact",
    .summary = "Compress what the store holds",
    .arguments = "[OPTIONS]",
    .examples = "lyr store compact\nlyr store compact --older-than 24h --background",
    .make = make_action<StoreCompactAction>};

}  // namespace lyr::tools
