// SPDX-License-Identifier: Apache-2.0
#include "image/load_image.h"

#include <algorithm>
#include <set>
#include <thread>

#include "image/load_layer.h"
#include "image/ordered_jobs.h"

namespace lyr::image {
namespace {

// Each takes about 20 MB.
constexpr size_t layers_at_once_max = 3;

store::ImageRecord record_of(const PlannedImage& image, uint64_t content_bytes) {
  store::ImageRecord record;
  record.id = image.id;
  record.chain_id = store::chain_id_of(image.config.diff_ids);
  record.diff_ids = image.config.diff_ids;
  record.config_json = image.config_json;
  record.manifest_json = image.manifest_json;
  record.created_unix = created_unix(image.config);
  record.content_bytes = content_bytes;
  return record;
}

Result<uint64_t> total_bytes(const BlobSource& source, const Plan& plan) {
  std::set<std::string> counted;
  uint64_t total = 0;
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& layer : image.layers) {
      if (!counted.insert(layer.file).second) continue;
      auto size = TRY(source.size(layer.file));
      total += size.value_or(0);
    }
  }
  return total;
}

// Each layer once. Those with the content of one before come last: nothing of them is read.
std::vector<const PlannedLayer*> layers_of(const Plan& plan, size_t& distinct) {
  std::set<std::pair<std::string, Digest>> known;
  std::set<Digest> contents;
  std::vector<const PlannedLayer*> layers;
  std::vector<const PlannedLayer*> again;
  for (const PlannedImage& image : plan) {
    for (const PlannedLayer& layer : image.layers) {
      if (!known.emplace(layer.file, layer.diff_id).second) continue;
      (contents.insert(layer.diff_id).second ? layers : again).push_back(&layer);
    }
  }
  distinct = layers.size();
  layers.insert(layers.end(), again.begin(), again.end());
  return layers;
}

Result<> load_layers(LayerLoader loader, const Plan& plan) {
  size_t distinct = 0;
  auto layers = layers_of(plan, distinct);
  size_t threads = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, layers_at_once_max);
  OrderedJobs jobs;
  TRY(jobs.run(distinct, threads, [&](size_t number) {
    GivenUp given_up = [&] { return jobs.is_given_up(number); };
    return loader.load(*layers[number], given_up);
  }));
  for (const PlannedLayer* layer : std::span(layers).subspan(distinct)) {
    TRY(loader.load(*layer, [] { return false; }));
  }
  return {};
}

}  // namespace

Result<std::vector<Loaded>> load_plan(store::Store& store, const BlobSource& source,
                                      const Plan& plan, const Progress& progress, bool keep_blobs) {
  uint64_t total = TRY(total_bytes(source, plan));
  ProgressMeter meter(progress, total);
  store::Import import = TRY(store.begin_import());
  TRY(load_layers(LayerLoader(import, source, meter, keep_blobs), plan));
  std::vector<store::ImageRecord> records;
  std::vector<store::Tag> tags;
  std::vector<Loaded> loaded;
  for (const PlannedImage& image : plan) {
    records.push_back(record_of(image, 0));
    for (const std::string& tag : image.tags) tags.push_back({.name = tag, .image = image.id});
    loaded.push_back({.id = image.id, .tags = image.tags});
  }
  TRY(import.commit(records, tags));
  return loaded;
}

}  // namespace lyr::image
