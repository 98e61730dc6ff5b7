// SPDX-License-Identifier: Apache-2.0
#include "store/liveness.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/sys_random.h"

namespace lyr::store {
namespace {

// References ahead whose slot is fetched into the cache: the table is larger than that.
constexpr size_t lookahead = 12;

uint32_t tag_of(uint64_t xxh3_high) { return static_cast<uint32_t>(xxh3_high >> 32); }

}  // namespace

Result<> Liveness::add(const Fd& packs, const Catalog& catalog, const PackRecord& record) {
  PackObjects& pack = packs_.emplace_back();
  pack.record = record;
  pack.first = static_cast<uint32_t>(entries_.size());
  auto reader = PackReader::open(packs, record.number, record.bytes);
  if (!reader) return {};
  auto listed = reader->footer();
  if (listed) pack.footer_bytes = sizeof(PackTrailer) + listed->size() * sizeof(PackFooterEntry);
  if (!listed) listed = reader->scan();
  if (!listed) return {};
  auto dropped = TRY(catalog.dropped(record.number));
  for (const PackFooterEntry& entry : *listed) {
    if (!dropped.contains(entry.offset)) entries_.push_back(entry);
  }
  if (entries_.size() >= UINT32_MAX) return fail(EFBIG, "objects in packs");
  pack.count = static_cast<uint32_t>(entries_.size()) - pack.first;
  auto own = std::span(entries_).subspan(pack.first);
  std::ranges::sort(own, {}, &PackFooterEntry::offset);
  return {};
}

Result<> Liveness::build() {
  live_.assign(entries_.size(), 0);
  slots_.assign(std::bit_ceil(entries_.size() * 2 + 2), Slot{});
  shift_ = 64 - std::countr_zero(slots_.size());
  multiplier_ = TRY(sys::random_u64())
  | 1;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    const PackFooterEntry& entry = entries_[i];
    bool repeated = false;
    size_t at = place_of(entry.xxh3_low);
    for (; slots_[at].entry != 0; at = (at + 1) & (slots_.size() - 1)) {
      const PackFooterEntry& other = entries_[slots_[at].entry - 1];
      repeated |= other.xxh3_low == entry.xxh3_low && other.xxh3_high == entry.xxh3_high;
    }
    slots_[at] = {tag_of(entry.xxh3_high), i + 1};
    if (repeated) repeated_.push_back(i);
  }
  return {};
}

Result<Liveness> Liveness::of_packs(const Fd& packs, const Catalog& catalog) {
  Liveness liveness;
  auto records = TRY(catalog.packs());
  for (const PackRecord& record : records) TRY(liveness.add(packs, catalog, record));
  TRY(liveness.build());
  return liveness;
}

void Liveness::mark(const ObjectId& object) {
  bool found = false;
  for (size_t at = place_of(object.xxh3_low); slots_[at].entry != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].tag != tag_of(object.xxh3_high)) continue;
    uint32_t index = slots_[at].entry - 1;
    const PackFooterEntry& entry = entries_[index];
    if (entry.xxh3_low != object.xxh3_low || entry.xxh3_high != object.xxh3_high) continue;
    live_[index] = 1;
    found = true;
  }
  if (!found) ++missing_;
}

bool Liveness::has_key(const ObjectId& object) const {
  for (size_t at = place_of(object.xxh3_low); slots_[at].entry != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    const PackFooterEntry& entry = entries_[slots_[at].entry - 1];
    if (entry.xxh3_low == object.xxh3_low && entry.xxh3_high == object.xxh3_high) return true;
  }
  return false;
}

void Liveness::mark(const Recipe& recipe) {
  size_t count = recipe.object_count();
  references_ += count;
  for (size_t i = 0; i < count; ++i) {
    if (i + lookahead < count) {
      __builtin_prefetch(&slots_[place_of(recipe.object(i + lookahead).xxh3_low)]);
    }
    mark(recipe.object(i));
  }
}

const PackObjects& Liveness::pack_of(uint32_t entry) const {
  auto after = std::ranges::upper_bound(packs_, entry, {}, &PackObjects::first);
  CHECK(after != packs_.begin());
  return *std::prev(after);
}

// Whether both frames hold the same object and the first of them can be read.
Result<bool> Liveness::same_and_whole(PackSet& packs, uint32_t one, uint32_t other) const {
  auto one_pack = TRY(packs.open(pack_of(one).record.number));
  auto other_pack = TRY(packs.open(pack_of(other).record.number));
  auto header = TRY(one_pack->header(entries_[one].offset));
  auto other_header = TRY(other_pack->header(entries_[other].offset));
  if (std::memcmp(header.sha256, other_header.sha256, sizeof header.sha256) != 0) return false;
  std::vector<std::byte> raw(header.raw_bytes);
  TRY(one_pack->read_object(entries_[one].offset, header, raw));
  return true;
}

Result<> Liveness::unmark_duplicates(PackSet& packs) {
  for (uint32_t later : repeated_) {
    if (live_[later] == 0) continue;
    const PackFooterEntry& entry = entries_[later];
    for (size_t at = place_of(entry.xxh3_low); slots_[at].entry != 0;
         at = (at + 1) & (slots_.size() - 1)) {
      uint32_t earlier = slots_[at].entry - 1;
      const PackFooterEntry& other = entries_[earlier];
      bool equal_key = other.xxh3_low == entry.xxh3_low && other.xxh3_high == entry.xxh3_high;
      if (!equal_key || earlier >= later || live_[earlier] == 0) continue;
      // A copy that cannot be read takes no other's place.
      if (same_and_whole(packs, earlier, later).value_or(false)) {
        live_[later] = 0;
        break;
      }
    }
  }
  return {};
}

}  // namespace lyr::store
