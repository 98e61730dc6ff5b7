// SPDX-License-Identifier: Apache-2.0
// lyr store stats: where the store's bytes are.
#include <cstdio>

#include "store/stats.h"
#include "tools/command.h"
#include "tools/stats_report.h"

namespace lyr::tools {
namespace {

class StoreStatsAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("--format", format_, "table (the default), json or csv")->type_name("FORMAT");
  }
  Result<int> run(Context& context) override {
    auto write = TRY(stats_writer(format_));
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    auto stats = TRY(store->stats());
    std::fputs(write(stats).c_str(), stdout);
    return 0;
  }

 private:
  std::string format_ = "table";
};

}  // namespace

extern const Command cmd_store_stats;
const Command cmd_store_stats{.name = "store stats",
                              .summary = "Show where the store's bytes are",
                              .arguments = "[OPTIONS]",
                              .examples =
                                  "lyr store stats\n"
                                  "lyr store stats --format json",
                              .make = make_action<StoreStatsAction>};

}  // namespace lyr::tools
