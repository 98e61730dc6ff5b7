// SPDX-License-Identifier: Apache-2.0
#include "store/scrub.h"

#include <sys/file.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "base/sys_file.h"
#include "store/pack_rewriter.h"

namespace lyr::store {
namespace {

constexpr uint64_t stretch_bytes = 4 << 20;  // read at once
constexpr unsigned scrub_threads_max = 8;

ObjectId key_of(const PackFooterEntry& entry) {
  return {.sha256 = {}, .xxh3_low = entry.xxh3_low, .xxh3_high = entry.xxh3_high};
}

ObjectId key_of(const ObjectId& object) {
  return {.sha256 = {}, .xxh3_low = object.xxh3_low, .xxh3_high = object.xxh3_high};
}

std::string frame_name(PackNumber pack, uint64_t offset) {
  return "packs/" + pack_name(pack) + " at " + std::to_string(offset);
}

}  // namespace

void Scrub::damage(std::string what, std::vector<Digest> images) {
  report_.damage.push_back({std::move(what), std::move(images)});
}

Result<> Scrub::plan() {
  liveness_ = TRY(Liveness::of_packs(state_.packs, *state_.catalog));
  for (const PackObjects& pack : liveness_->packs()) {
    if (pack.footer_bytes == 0 && !is_gone(pack.record.number, 0)) {
      broken_.insert(pack.record.number);
    }
    ++report_.packs;
    auto entries = liveness_->entries(pack);
    Stretch stretch{&pack, 0, 0};
    for (size_t i = 0; i < entries.size(); ++i) {
      uint64_t end = entries[i].offset + sizeof(FrameHeader) + entries[i].stored_bytes;
      if (stretch.count > 0 && end - entries[stretch.first].offset > stretch_bytes) {
        stretches_.push_back(stretch);
        stretch = {&pack, i, 0};
      }
      ++stretch.count;
      total_bytes_ += sizeof(FrameHeader) + entries[i].stored_bytes;
    }
    if (stretch.count > 0) stretches_.push_back(stretch);
    report_.objects += entries.size();
  }
  report_.bytes = total_bytes_;
  return {};
}

bool Scrub::is_gone(PackNumber pack, uint64_t offset) const {
  auto record = state_.catalog->pack(pack);
  if (record && !*record) return true;
  auto dropped = state_.catalog->dropped(pack);
  return dropped && dropped->contains(offset);
}

void Scrub::note_bad(const Stretch& stretch, const PackFooterEntry& entry) {
  PackNumber pack = stretch.pack->record.number;
  if (is_gone(pack, entry.offset)) return;
  std::scoped_lock lock(mutex_);
  bad_.push_back({pack, entry.offset, key_of(entry)});
}

void Scrub::check_stretch(const Stretch& stretch, std::vector<std::byte>& buffer,
                          FrameCheck& check) {
  auto entries = liveness_->entries(*stretch.pack).subspan(stretch.first, stretch.count);
  uint64_t from = entries.front().offset;
  uint64_t to = entries.back().offset + sizeof(FrameHeader) + entries.back().stored_bytes;
  buffer.resize(to - from);
  std::string name = pack_name(stretch.pack->record.number);
  auto file = sys::open_at(state_.packs, name.c_str(), O_RDONLY | O_NOFOLLOW);
  bool read = file && sys::pread_exactly(*file, buffer, from);
  for (const PackFooterEntry& entry : entries) {
    auto frame =
        std::span(buffer).subspan(entry.offset - from, sizeof(FrameHeader) + entry.stored_bytes);
    // Where the disk gives not all of it, each frame is asked for alone.
    if (read || (file && sys::pread_exactly(*file, frame, entry.offset))) {
      check.add(frame, entry);
    } else {
      check.add_unread(entry);
    }
  }
  for (const PackFooterEntry* entry : check.take_bad()) note_bad(stretch, *entry);
  uint64_t done = done_bytes_ += to - from;
  if (!options_.progress) return;
  std::scoped_lock lock(mutex_);
  options_.progress(std::min(done, total_bytes_), total_bytes_);
}

void Scrub::check_stretches() {
  std::vector<std::byte> buffer;
  FrameCheck check;
  for (size_t i = next_stretch_++; i < stretches_.size(); i = next_stretch_++) {
    check_stretch(stretches_[i], buffer, check);
  }
}

// Other copies of what is in bad frames, which were read in this scrub.
void Scrub::find_whole() {
  std::set<std::pair<PackNumber, uint64_t>> bad;
  for (const BadFrame& frame : bad_) bad.emplace(frame.pack, frame.offset);
  for (const PackObjects& pack : liveness_->packs()) {
    PackNumber number = pack.record.number;
    for (const PackFooterEntry& entry : liveness_->entries(pack)) {
      if (!needed_by_.contains(key_of(entry)) || bad.contains({number, entry.offset})) continue;
      whole_.emplace(key_of(entry), Place{number, entry.offset});
    }
  }
}

bool Scrub::is_whole_now(const BadFrame& frame) const {
  auto pack = state_.objects->packs().open(frame.pack);
  auto header = pack ? (*pack)->header(frame.offset) : fail(ENOENT, "pack");
  if (!header) return false;
  std::vector<std::byte> raw(header->raw_bytes);
  if (!(*pack)->read_object(frame.offset, *header, raw)) return false;
  ObjectId object = ObjectId::of(raw);
  return key_of(object) == frame.key && std::ranges::equal(header->sha256, object.sha256.bytes);
}

bool Scrub::has_whole(const ObjectId& object) const {
  auto [from, to] = whole_.equal_range(key_of(object));
  return std::any_of(from, to, [&](const auto& copy) {
    auto pack = state_.objects->packs().open(copy.second.pack);
    auto header = pack ? (*pack)->header(copy.second.offset) : fail(ENOENT, "pack");
    return header && std::ranges::equal(header->sha256, object.sha256.bytes);
  });
}

Result<> Scrub::check_layer(const Digest& diff_id, const std::vector<Digest>& images) {
  std::string name = recipe_name(diff_id);
  auto read_recipe = [&]() -> Result<> {
    Fd file = TRY(sys::open_at(state_.layers, name.c_str(), O_RDONLY));
    auto status = TRY(sys::stat(file));
    auto mapping = TRY(sys::Mapping::read_only(file, static_cast<size_t>(status.st_size)));
    auto recipe = TRY(Recipe::parse(mapping.bytes()));
    if (recipe.diff_id() != diff_id) return fail(EUCLEAN, "recipe", "of another layer");
    std::set<ObjectId> lost;
    std::byte first{};
    for (size_t i = 0; i < recipe.object_count(); ++i) {
      ObjectId object = recipe.object(i);
      auto needed = needed_by_.find(key_of(object));
      if (needed != needed_by_.end()) needed->second.insert(images.begin(), images.end());
      bool suspect = needed != needed_by_.end() || !liveness_->has_key(object);
      bool sole = options_.mend && needed != needed_by_.end() && !has_whole(object);
      if (sole) sole_.insert(key_of(object));
      if (suspect && !state_.objects->read(object, 0, {&first, 1})) lost.insert(object);
    }
    for (const ObjectId& object : lost) lost_.insert(key_of(object));
    if (!lost.empty()) {
      damage("layer " + diff_id.text() + ": " + std::to_string(lost.size()) +
                 " of its objects are lost or damaged in every copy",
             images);
    }
    return {};
  };
  auto read = read_recipe();
  auto known = TRY(state_.catalog->layer(diff_id));
  if (!known) return {};  // removed meanwhile
  if (!read) damage("layers/" + name + ": " + describe(read.error()), images);
  ++report_.layers;
  std::string tree_name = layer_tree_name(diff_id);
  auto file = sys::open_at(state_.layers, tree_name.c_str(), O_RDONLY);
  if (!file || !Tree::open(std::move(*file))) damage("layers/" + tree_name + ": damaged", images);
  return {};
}

Result<> Scrub::check_layers() {
  std::map<Digest, std::vector<Digest>> images_of;
  auto layers = TRY(state_.catalog->layers());
  for (const LayerRecord& layer : layers) images_of[layer.diff_id];
  auto images = TRY(state_.catalog->images());
  for (const ImageRecord& image : images) {
    for (const Digest& diff_id : image.diff_ids) images_of[diff_id].push_back(image.id);
  }
  for (const auto& [diff_id, having] : images_of) TRY(check_layer(diff_id, having));
  return {};
}

Result<> Scrub::check_trees() {
  auto images = TRY(state_.catalog->images());
  for (const ImageRecord& image : images) {
    ++report_.images;
    std::string name = image_tree_name(image.chain_id);
    auto file = sys::open_at(state_.trees, name.c_str(), O_RDONLY);
    if (file && Tree::open(std::move(*file))) continue;
    auto known = TRY(state_.catalog->image(image.id));
    if (known) damage("trees/" + name + ": damaged", {image.id});
  }
  return {};
}

void Scrub::name_bad() {
  for (PackNumber number : broken_) {
    damage("packs/" + pack_name(number) + ": lost, or its footer is damaged", {});
  }
  for (const BadFrame& bad : bad_) {
    const auto& images = needed_by_[bad.key];
    damage(frame_name(bad.pack, bad.offset) + ": damaged frame", {images.begin(), images.end()});
  }
}

// A damaged frame goes when its object has another copy, or is needed by nobody; its pack's other
// frames are not touched. That the object can be read is not enough: perhaps the frame is whole,
// and the disk only failed to give it a moment ago. Then an import may even have built on it since.
Result<> Scrub::drop_spoiled(const Leases& leases) {
  std::map<PackNumber, DroppedFrames> dropped;
  std::vector<BadFrame> kept;
  for (const BadFrame& bad : bad_) {
    bool leased = dropped.contains(bad.pack) || TRY(leases.take(bad.pack));
    bool needed = lost_.contains(bad.key) || sole_.contains(bad.key);
    if (!leased || needed || is_whole_now(bad)) {
      kept.push_back(bad);
      continue;
    }
    if (!dropped.contains(bad.pack)) {
      auto before = TRY(state_.catalog->dropped(bad.pack));
      dropped.emplace(bad.pack, std::move(before));
    }
    dropped[bad.pack].frames.push_back(static_cast<uint32_t>(bad.offset / frame_alignment));
    ++report_.mended;
  }
  PackChange change;
  for (auto& [number, frames] : dropped) {
    std::ranges::sort(frames.frames);
    change.dropped.push_back(std::move(frames));
  }
  bad_ = std::move(kept);
  if (change.dropped.empty()) return {};
  TRY(state_.catalog->change_packs(change));
  return {};
}

// What can be read of a pack without a footer goes to a new one; a pack of which nothing can be
// read is forgotten. While an object is in no pack that could be read, it may be in one of these,
// and only the disk failed for a moment: then they stay.
Result<> Scrub::replace_broken_packs(const Leases& leases) {
  if (broken_.empty()) return {};
  std::vector<const PackObjects*> leased;
  for (const PackObjects& pack : liveness_->packs()) {
    bool ours = broken_.contains(pack.record.number) && TRY(leases.take(pack.record.number));
    if (ours) leased.push_back(&pack);
  }
  std::set<Digest> layers;
  auto records = TRY(state_.catalog->layers());
  for (const LayerRecord& record : records) layers.insert(record.diff_id);
  TRY(mark_layers(state_, layers, *liveness_));
  if (liveness_->missing() > 0) return {};
  PackRewriter rewriter(state_, false);
  for (const PackObjects* pack : leased) TRY(rewriter.add(*liveness_, *pack));
  TRY(rewriter.commit());
  for (const PackObjects* pack : leased) broken_.erase(pack->record.number);
  report_.mended += leased.size();
  return {};
}

Result<> Scrub::mend() {
  Fd lock = TRY(state_.lock_collection());
  auto leases = TRY(Leases::open(state_.directory));
  TRY(drop_spoiled(leases));
  if (lost_.empty()) TRY(replace_broken_packs(leases));
  return state_.objects->reindex();
}

Result<ScrubReport> Scrub::run() {
  TRY(plan());
  unsigned count = std::clamp(std::thread::hardware_concurrency(), 1u, scrub_threads_max);
  {
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < count; ++i) others.emplace_back([this] { check_stretches(); });
    check_stretches();
  }
  for (const BadFrame& bad : bad_) needed_by_[bad.key];
  if (options_.mend) find_whole();
  TRY(check_layers());
  TRY(check_trees());
  TRY(check_hot_files());
  if (options_.mend) TRY(mend());
  name_bad();
  return std::move(report_);
}

Result<ScrubReport> Store::scrub(const ScrubOptions& options) {
  return Scrub(*state_, options).run();
}

}  // namespace lyr::store
