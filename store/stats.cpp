// SPDX-License-Identifier: Apache-2.0
#include "store/stats.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/sys_file.h"
#include "store/recipe.h"
#include "store/store_state.h"

namespace lyr::store {
namespace {

constexpr int readings_max = 4;
constexpr uint64_t stat_block_bytes = 512;  // what st_blocks counts, on every file system

// A frame as its pack lists it, and who uses it. Like the sweep, this goes by XXH3-128 alone: of
// two objects made to have one key, one is counted as the other.
struct Frame {
  uint64_t xxh3_low;
  uint64_t xxh3_high;
  uint32_t raw_bytes;
  uint32_t stored_bytes;
  uint32_t images = 0;      // how many have it
  uint32_t last_image = 0;  // the last of these, counted from 1
  bool live = false;

  auto key() const { return std::tuple(xxh3_low, xxh3_high); }
};

void add(ObjectStats& stats, const Frame& frame) {
  stats.count += 1;
  stats.raw_bytes += frame.raw_bytes;
  stats.stored_bytes += frame.stored_bytes;
}

uint64_t disk_bytes(const struct stat& status) {
  return static_cast<uint64_t>(status.st_blocks) * stat_block_bytes;
}

Result<uint64_t> disk_bytes(const Fd& directory, const std::string& name) {
  auto status = TRY(about(sys::stat_at(directory, name.c_str()), name));
  return disk_bytes(status);
}

// Memory: 40 bytes a frame, and 4 for each object of each layer.
class Counter {
 public:
  explicit Counter(const Store::State& store) : store_(store) {}

  Result<StoreStats> run() {
    rows_ = TRY(store_.catalog->rows());
    for (const PackRecord& pack : rows_.packs) TRY(add_pack(pack));
    sort_frames();
    for (const LayerRecord& layer : rows_.layers) TRY(add_layer(layer));
    for (const ImageRecord& image : rows_.images) TRY(add_image(image));
    share_out();
    name_images();
    stats_.catalogue_bytes = TRY(disk_bytes(store_.directory, "catalog.mdb"));
    bool indexed = TRY(sys::exists_at(store_.directory, "index.tbl"));  // a cache
    if (indexed) stats_.index_bytes = TRY(disk_bytes(store_.directory, "index.tbl"));
    auto hot_files = TRY(store_.hot_files->files());
    stats_.hot_files = hot_files.size();
    for (const auto& [name, bytes] : hot_files) stats_.hot_file_bytes += bytes;
    return std::move(stats_);
  }

 private:
  struct Layer {
    Digest diff_id;
    uint64_t tar_bytes = 0;
    uint64_t hole_bytes = 0;
    std::vector<uint32_t> frames;  // sorted, each once
  };

  Result<> add_pack(const PackRecord& record) {
    auto pack = TRY(PackReader::open(store_.packs, record.number, record.bytes));
    auto entries = pack.footer();
    if (!entries) entries = pack.scan();  // the footer is damaged: as a reader would do
    auto found = TRY(std::move(entries));
    auto dropped = TRY(store_.catalog->dropped(record.number));
    for (const PackFooterEntry& entry : found) {
      if (dropped.contains(entry.offset)) {
        stats_.dropped_bytes += entry.stored_bytes;
        continue;
      }
      frames_.push_back({.xxh3_low = entry.xxh3_low,
                         .xxh3_high = entry.xxh3_high,
                         .raw_bytes = entry.raw_bytes,
                         .stored_bytes = entry.stored_bytes});
    }
    stats_.packs += 1;
    stats_.pack_bytes += record.bytes;
    stats_.pack_disk_bytes += TRY(disk_bytes(store_.packs, pack_name(record.number)));
    return {};
  }

  // Sorted by key, each key once: what else is listed is a second copy.
  void sort_frames() {
    std::ranges::stable_sort(frames_, {}, &Frame::key);
    size_t kept = 0;
    for (const Frame& frame : frames_) {
      if (kept > 0 && frames_[kept - 1].key() == frame.key()) {
        add(stats_.dead, frame);
      } else {
        frames_[kept++] = frame;
      }
    }
    frames_.resize(kept);
  }

  std::optional<uint32_t> find(const ObjectId& object) const {
    std::tuple key(object.xxh3_low, object.xxh3_high);
    auto at = std::ranges::lower_bound(frames_, key, {}, &Frame::key);
    if (at == frames_.end() || at->key() != key) return std::nullopt;
    return static_cast<uint32_t>(at - frames_.begin());
  }

  Result<> add_layer(const LayerRecord& record) {
    Layer layer{.diff_id = record.diff_id, .tar_bytes = record.tar_bytes};
    std::string name = recipe_name(record.diff_id);
    Fd file = TRY(about(sys::open_at(store_.layers, name.c_str(), O_RDONLY), name));
    auto status = TRY(about(sys::stat(file), name));
    auto size = static_cast<size_t>(status.st_size);
    auto mapping = TRY(about(sys::Mapping::read_only(file, size), name));
    auto recipe = TRY(about(Recipe::parse(mapping.bytes()), name));
    auto sizes = TRY(about(recipe.measure(), name));
    layer.hole_bytes = sizes.zero_bytes;
    for (size_t i = 0; i < recipe.object_count(); ++i) {
      auto frame = find(recipe.object(i));
      if (frame) {
        frames_[*frame].live = true;
        layer.frames.push_back(*frame);
      } else {
        stats_.missing += 1;
      }
    }
    std::ranges::sort(layer.frames);
    layer.frames.erase(std::ranges::unique(layer.frames).begin(), layer.frames.end());
    stats_.layers += 1;
    if (record.blob_kept) stats_.blob_bytes += record.blob_bytes;
    stats_.layer_tar_bytes += record.tar_bytes;
    stats_.references += recipe.object_count();
    stats_.recipe_bytes += disk_bytes(status);
    stats_.tree_bytes += TRY(disk_bytes(store_.layers, layer_tree_name(record.diff_id)));
    layers_.push_back(std::move(layer));
    return {};
  }

  Result<> add_image(const ImageRecord& record) {
    ImageStats image{.id = record.id, .content_bytes = record.content_bytes};
    auto number = static_cast<uint32_t>(stats_.images.size() + 1);
    for (const Digest& diff_id : record.diff_ids) {
      // The catalogue gives layers sorted by name.
      auto layer = std::ranges::lower_bound(layers_, diff_id, {}, &Layer::diff_id);
      if (layer == layers_.end() || layer->diff_id != diff_id) {
        return fail(EUCLEAN, "image without its layer", diff_id.text());
      }
      image.tar_bytes += layer->tar_bytes;
      image.hole_bytes += layer->hole_bytes;
      for (uint32_t index : layer->frames) {
        Frame& frame = frames_[index];
        if (frame.last_image == number) continue;
        frame.last_image = number;
        frame.images += 1;
        image.object_bytes += frame.raw_bytes;
      }
    }
    stats_.image_tar_bytes += image.tar_bytes;
    // Images of the same layers have one merged tree.
    if (trees_.insert(record.chain_id).second) {
      stats_.tree_bytes += TRY(disk_bytes(store_.trees, image_tree_name(record.chain_id)));
    }
    stats_.images.push_back(std::move(image));
    return {};
  }

  void share_out() {
    uint64_t listed_bytes = stats_.dead.stored_bytes + stats_.dropped_bytes;
    for (const Frame& frame : frames_) {
      bool cold = frame.stored_bytes != frame.raw_bytes;
      add(!frame.live ? stats_.dead : cold ? stats_.cold : stats_.hot, frame);
      if (frame.images == 1) stats_.images[frame.last_image - 1].unique_bytes += frame.raw_bytes;
      listed_bytes += frame.stored_bytes;
    }
    stats_.overhead_bytes = stats_.pack_bytes - listed_bytes;
    for (ImageStats& image : stats_.images) {
      image.shared_bytes = image.object_bytes - image.unique_bytes;
    }
  }

  void name_images() {
    for (const Tag& tag : rows_.tags) {
      auto image = std::ranges::find(stats_.images, tag.image, &ImageStats::id);
      if (image != stats_.images.end()) image->tags.push_back(tag.name);
    }
  }

  const Store::State& store_;
  CatalogRows rows_;
  StoreStats stats_;
  std::vector<Frame> frames_;
  std::vector<Layer> layers_;
  std::set<Digest> trees_;  // of images, counted already
};

}  // namespace

Result<StoreStats> Store::stats() const {
  // What was taken away after the catalogue was read is not in the next reading of it.
  for (int tries = 1;; ++tries) {
    auto stats = Counter(*state_).run();
    if (stats || stats.error().code != ENOENT || tries == readings_max) return stats;
  }
}

}  // namespace lyr::store
