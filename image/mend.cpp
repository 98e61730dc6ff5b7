// SPDX-License-Identifier: Apache-2.0
#include "image/mend.h"

#include <algorithm>
#include <set>

#include "image/blob_source.h"
#include "image/load_layer.h"
#include "image/plain_archive.h"
#include "image/plan.h"

namespace lyr::image {
namespace {

// The layers of the archive that the store knows, each once.
Result<std::vector<const PlannedLayer*>> known_layers(const store::Store& store, const Plan& plan) {
  std::set<Digest> seen;
  std::vector<const PlannedLayer*> known;
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& layer : image.layers) {
      if (!seen.insert(layer.diff_id).second) continue;
      auto record = TRY(store.layer(layer.diff_id));
      if (record) known.push_back(&layer);
    }
  }
  return known;
}

// Those that have one of these layers: a commit makes their trees where they are damaged.
Result<std::vector<store::ImageRecord>> images_of(const store::Store& store,
                                                  const std::set<Digest>& layers) {
  auto images = TRY(store.images());
  std::erase_if(images, [&](const store::ImageRecord& image) {
    return std::ranges::none_of(image.diff_ids,
                                [&](const Digest& layer) { return layers.contains(layer); });
  });
  return images;
}

}  // namespace

Result<size_t> mend_from_archive(store::Store& store, Fd archive, const Progress& progress) {
  PlainArchive plain = TRY(open_plain(store, std::move(archive)));
  auto source = TRY(ArchiveSource::index(plain.file, plain.bytes));
  auto plan = TRY(make_plan(source, ""));
  auto layers = TRY(known_layers(store, plan));
  ProgressMeter meter(progress, plain.bytes);
  store::Import import = TRY(store.begin_import());
  LayerLoader loader(import, source, meter, false);
  std::set<Digest> mended;
  for (const PlannedLayer* layer : layers) {
    TRY(loader.load_again(*layer));
    mended.insert(layer->diff_id);
  }
  auto images = TRY(images_of(store, mended));
  TRY(import.commit(images, {}));
  return layers.size();
}

}  // namespace lyr::image
