// SPDX-License-Identifier: Apache-2.0
// lyr store scrub: everything read and checked.
#include <cstdio>

#include "base/sys_file.h"
#include "image/mend.h"
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
  void define(CLI::App& app) override {
    app.add_option("--repair", archive_,
                   "Mend what is damaged with this archive of the same images")
        ->type_name("FILE");
    app.add_flag("-q,--quiet", quiet_, "No progress");
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    auto report = TRY(scrub(*store, false));
    if (!report.damage.empty() && !archive_.empty()) {
      TRY(show(*store, report));
      TRY(repair(*store));
      report = TRY(scrub(*store, true));
    }
    TRY(show(*store, report));
    std::printf("Checked: %lu objects (%s), %lu packs, %lu layers, %lu images: %s\n",
                report.objects, human_size(report.bytes).c_str(), report.packs, report.layers,
                report.images, report.damage.empty() ? "no damage" : "damaged");
    if (report.hot_files > 0) {
      std::printf("Hot files: %lu whole, %lu removed\n",
                  report.hot_files - report.hot_files_removed, report.hot_files_removed);
    }
    if (report.damage.empty()) return 0;
    return fail_saying(EIO,
                       "the store is damaged: mend it with --repair and an archive that has the "
                       "images named above (docker save, podman save), or remove these images");
  }

 private:
  static Result<> show(store::Store& store, const store::ScrubReport& report) {
    auto tags = TRY(store.tags());
    for (const store::Damage& damage : report.damage) {
      std::string images;
      for (const Digest& image : damage.images) {
        images += (images.empty() ? " (needed by " : ", ") + name_of(image, tags);
      }
      std::printf("%s%s\n", damage.what.c_str(), images.empty() ? "" : (images + ")").c_str());
    }
    return {};
  }

  Result<store::ScrubReport> scrub(store::Store& store, bool mend) const {
    ProgressLine line("checking", !quiet_);
    store::ScrubOptions options;
    options.mend = mend;
    options.progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto report = store.scrub(options);
    line.clear();
    return report;
  }

  Result<> repair(store::Store& store) const {
    Fd archive = TRY(about(sys::open(archive_.c_str(), O_RDONLY), archive_));
    ProgressLine line("mending", !quiet_);
    auto progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto layers = image::mend_from_archive(store, std::move(archive), progress);
    line.clear();
    size_t count = TRY(about(std::move(layers), archive_));
    std::printf("Read again: %zu layers of %s\n", count, archive_.c_str());
    return {};
  }

  std::string archive_;
  bool quiet_ = false;
};

}  // namespace

extern const Command cmd_store_scrub;
const Command cmd_store_scrub{.name = "store scrub",
                              .summary = "Read and check all that the store holds, and mend it",
                              .arguments = "[OPTIONS]",
                              .examples = "lyr store scrub\nlyr store scrub --repair debian.tar",
                              .make = make_action<StoreScrubAction>};

}  // namespace lyr::tools
