// SPDX-License-Identifier: Apache-2.0
// lyr store stats: where the store's bytes are.
#include <cstdio>

#include "tools/command.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

class StoreStatsAction : public Action {
 public:
  void define(CLI::App&) override {}
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    auto sizes = TRY(store->sizes());
    std::string text = table({{"IMAGES", "LAYERS", "PACKS", "TAR SIZE", "PACK SIZE", "BLOB SIZE"},
                              {std::to_string(sizes.images), std::to_string(sizes.layers),
                               std::to_string(sizes.packs), human_size(sizes.tar_bytes),
                               human_size(sizes.pack_bytes), human_size(sizes.blob_bytes)}});
    std::fputs(text.c_str(), stdout);
    return 0;
  }
};

}  // namespace

extern const Command cmd_store_stats;
const Command cmd_store_stats{.name = "store stats",
                              .summary = "Show what the store holds, and how much disk that takes",
                              .arguments = "",
                              .examples = "lyr store stats",
                              .make = make_action<StoreStatsAction>};

}  // namespace lyr::tools
