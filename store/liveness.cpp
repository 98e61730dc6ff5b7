// SPDX-License-Identifier: Apache-2.0
#include "store/liveness.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/sys_random.h"
#include "store/reuse.h"

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
  repeated_key_.assign(entries_.size(), false);
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
      bool equal = other.xxh3_low == entry.xxh3_low && other.xxh3_high == entry.xxh3_high;
      if (equal) repeated_key_[slots_[at].entry - 1] = true;
      repeated |= equal;
    }
    slots_[at] = {tag_of(entry.xxh3_high), i + 1};
    repeated_key_[i] = repeated;
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

Result<Liveness::Copy> Liveness::copy_of(PackSet& packs, uint32_t entry) const {
  Copy copy{.entry = entry};
  copy.pack = TRY(packs.open(pack_of(entry).record.number));
  copy.header = TRY(copy.pack->header(entries_[entry].offset));
  return copy;
}

// Whether one of its file's other pieces is needed: the nearest that is in no other place, on
// either side. Between are at most those that were written beside it for the same reason.
bool Liveness::is_beside_live(uint32_t entry) const {
  const PackObjects& pack = pack_of(entry);
  auto live_from = [&](uint32_t at, auto next, uint32_t end) {
    uint64_t passed = 0;
    for (; at != end && passed < reuse_run_bytes_min; at = next(at)) {
      if (!repeated_key_[at]) return live_[at] != 0;
      passed += entries_[at].raw_bytes;
    }
    return false;
  };
  auto up = [](uint32_t at) { return at + 1; };
  auto down = [](uint32_t at) { return at - 1; };
  return live_from(entry, up, pack.first + pack.count) ||
         live_from(entry, down, pack.first - 1);  // wraps to where `down` gets, too
}

// Whether `gone` can go because `left` is the same and whole.
bool Liveness::stands_in(const Copy& left, const Copy& gone) const {
  if (std::memcmp(left.header.sha256, gone.header.sha256, sizeof left.header.sha256) != 0) {
    return false;
  }
  std::vector<std::byte> raw(left.header.raw_bytes);
  return left.pack->read_object(entries_[left.entry].offset, left.header, raw).has_value();
}

// Of two copies of an object the later one goes. If one was written to lie beside others, both stay
// where both lie beside what is needed; where neither does, it is the one that goes.
void Liveness::unmark_one_of(const Copy& earlier, const Copy& later) {
  bool earlier_goes = false;
  if (earlier.is_beside() || later.is_beside()) {
    bool earlier_needed = is_beside_live(earlier.entry);
    bool later_needed = is_beside_live(later.entry);
    if (earlier_needed && later_needed) return;
    earlier_goes = earlier_needed != later_needed ? later_needed : !later.is_beside();
  }
  const Copy& gone = earlier_goes ? earlier : later;
  const Copy& left = earlier_goes ? later : earlier;
  // A copy that cannot be read takes no other's place.
  if (stands_in(left, gone)) live_[gone.entry] = 0;
}

Result<> Liveness::unmark_duplicates(PackSet& packs) {
  for (uint32_t later : repeated_) {
    if (live_[later] == 0) continue;
    auto copy = copy_of(packs, later);
    if (!copy) continue;
    const PackFooterEntry& entry = entries_[later];
    for (size_t at = place_of(entry.xxh3_low); slots_[at].entry != 0 && live_[later] != 0;
         at = (at + 1) & (slots_.size() - 1)) {
      uint32_t earlier = slots_[at].entry - 1;
      const PackFooterEntry& other = entries_[earlier];
      bool equal_key = other.xxh3_low == entry.xxh3_low && other.xxh3_high == entry.xxh3_high;
      if (!equal_key || earlier >= later || live_[earlier] == 0) continue;
      auto other_copy = copy_of(packs, earlier);
      if (other_copy) unmark_one_of(*other_copy, *copy);
    }
  }
  return {};
}

}  // namespace lyr::store
