// SPDX-License-Identifier: Apache-2.0
// lyr store scrub: everything read and checked.
#include <cstdio>

#include "image/reference.h"
#include "tools/command.h"
#include "tools/progress_line.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

std::string name_of(const Digest& image, const std::vector<store::Tag>& tags) {
  for (const store::Tag& tag : tags) {
    if (tag.image == image) return image::familiar(tag.name);
  }
  return short_id(image.hex());
}

class StoreScrubAction : public Action {
 public:
  void define(CLI::App& app) override { app.add_flag("-q,--quiet", quiet_, "No progress"); }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    auto report = TRY(scrub(*store));
    auto tags = TRY(store->tags());
    for (const store::Damage& damage : report.damage) {
      std::string images;
      for (const Digest& image : damage.images) {
        images += (images.empty() ? " (needed by " : ", ") + name_of(image, tags);
      }
      std::printf("%s%s\n", damage.what.c_str(), images.empty() ? "" : (images + ")").c_str());
    }
    std::printf("Checked: %lu objects (%s), %lu packs, %lu layers, %lu images: %s\n",
                report.objects, human_size(report.bytes).c_str(), report.packs, report.layers,
                report.images, report.damage.empty() ? "no damage" : "damaged");
    if (report.damage.empty()) return 0;
    return fail_saying(EIO,
                       "the store is damaged; load the images named above again after "
                       "lyr rmi, from an archive or a registry");
  }

 private:
  Result<store::ScrubReport> scrub(store::Store& store) const {
    ProgressLine line("checking", !quiet_);
    store::ScrubOptions options;
    options.progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto report = store.scrub(options);
    line.clear();
    return report;
  }

  bool quiet_ = false;
};

}  // namespace

extern const Command cmd_store_scrub;
const Command cmd_store_scrub{.name = "store scrub",
                              .summary = "Read and check all that the store holds",
                              .arguments = "[OPTIONS]",
                              .examples = "lyr store scrub",
                              .make = make_action<StoreScrubAction>};

}  // namespace lyr::tools
