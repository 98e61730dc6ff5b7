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

// The marked frames with this one's key whose headers can be read, in their order.
std::vector<Liveness::Copy> Liveness::copies_of(PackSet& packs, uint32_t entry) const {
  std::vector<Copy> copies;
  const PackFooterEntry& wanted = entries_[entry];
  for (size_t at = place_of(wanted.xxh3_low); slots_[at].entry != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    uint32_t index = slots_[at].entry - 1;
    const PackFooterEntry& other = entries_[index];
    bool equal_key = other.xxh3_low == wanted.xxh3_low && other.xxh3_high == wanted.xxh3_high;
    if (!equal_key || live_[index] == 0) continue;
    auto pack = packs.open(pack_of(index).record.number);
    auto header = pack ? (*pack)->header(other.offset) : fail(EIO, "pack");
    if (header) copies.push_back({.entry = index, .header = *header});
  }
  std::ranges::sort(copies, {}, &Copy::entry);
  return copies;
}

bool Liveness::is_whole(PackSet& packs, const Copy& copy) const {
  auto pack = packs.open(pack_of(copy.entry).record.number);
  std::vector<std::byte> raw(copy.header.raw_bytes);
  return pack && (*pack)->read_object(entries_[copy.entry].offset, copy.header, raw);
}

// Whether the nearest frame of its pack that has no copy, on either side, is needed: most often one
// of its file. Between are at most those that were written beside it for the same reason.
bool Liveness::is_beside_live(uint32_t entry) const {
  const PackObjects& pack = pack_of(entry);
  auto is_live_from = [&](uint32_t at, uint32_t step, uint32_t end) {
    uint64_t passed = 0;
    for (; at != end && passed < reuse_run_bytes_min; at += step) {
      if (!has_copies_[at]) return live_[at] != 0;
      passed += sizeof(FrameHeader) + entries_[at].raw_bytes;
    }
    return false;
  };
  constexpr uint32_t back = UINT32_MAX;  // one less, and before 0
  return is_live_from(entry + 1, 1, pack.first + pack.count) ||
         is_live_from(entry + back, back, pack.first + back);
}

// Of copies of one object, the best first: one of them stays, and all that are needed where they
// are.
void Liveness::unmark_all_but_one(PackSet& packs, std::span<const Copy> copies) {
  if (copies.size() < 2 || copies.back().needed) return;
  // A copy that cannot be read takes no other's place.
  auto left = std::ranges::find_if(copies, [&](const Copy& copy) { return is_whole(packs, copy); });
  if (left == copies.end()) return;
  for (auto other = std::next(left); other != copies.end(); ++other) {
    if (!other->needed) live_[other->entry] = 0;
  }
}

// Of copies with one key. Those of different objects are made on purpose, and few.
void Liveness::unmark_copies(PackSet& packs, std::span<Copy> copies) {
  auto worse = [](const Copy& copy) { return std::pair(!copy.needed, copy.is_beside()); };
  std::ranges::stable_sort(copies, {}, worse);
  while (!copies.empty()) {
    auto same = [&](const Copy& copy) {
      return std::ranges::equal(copy.header.sha256, copies.front().header.sha256);
    };
    auto others = std::ranges::stable_partition(copies, same);
    auto count = copies.size() - others.size();
    unmark_all_but_one(packs, copies.first(count));
    copies = copies.subspan(count);
  }
}

void Liveness::unmark_duplicates(PackSet& packs) {
  packs.clear();  // an import of this process may have opened some before it wrote them whole
  std::vector<bool> seen(entries_.size());
  has_copies_.assign(entries_.size(), false);
  std::vector<uint32_t> beside;  // one of each object of which a copy lies beside others
  for (uint32_t entry : repeated_) {
    if (live_[entry] == 0 || seen[entry]) continue;
    auto copies = copies_of(packs, entry);
    seen[entry] = true;
    for (const Copy& copy : copies) seen[copy.entry] = true;
    if (std::ranges::none_of(copies, &Copy::is_beside)) {
      unmark_copies(packs, copies);
      continue;
    }
    for (const Copy& copy : copies) has_copies_[copy.entry] = copies.size() > 1;
    beside.push_back(entry);
  }
  for (uint32_t entry : beside) {
    auto copies = copies_of(packs, entry);
    for (Copy& copy : copies) copy.needed = is_beside_live(copy.entry);
    unmark_copies(packs, copies);
  }
}

}  // namespace lyr::store
