// SPDX-License-Identifier: Apache-2.0
#include "store/index_table.h"

#include <xxhash.h>

#include <algorithm>
#include <vector>

namespace lyr::store {
namespace {

constexpr uint64_t index_magic = 0x3258444e4952594c;  // "LYRINDX2"

// A place is an ordinal and, below it, the frame's offset in units of its alignment.
constexpr unsigned offset_bits = 25;
constexpr uint64_t offset_mask = (uint64_t{1} << offset_bits) - 1;
static_assert(pack_bytes_max == frame_alignment << offset_bits);

// Keyed, so that nobody can make contents that crowd in one part of the table.
uint64_t fingerprint_of(uint64_t xxh3_low, uint64_t xxh3_high, uint64_t seed) {
  const uint64_t key[2] = {xxh3_low, xxh3_high};
  return XXH3_64bits_withSeed(key, sizeof key, seed);
}

// The upper half of their product: tables need be no powers of two.
size_t home_of(uint64_t fingerprint, uint64_t slots) {
  __extension__ using Product = unsigned __int128;
  return static_cast<size_t>(static_cast<Product>(fingerprint) * slots >> 64);
}

// Not every file system can do it at once.
Result<> allocate(const Fd& file, uint64_t bytes) {
  auto allocated = sys::fallocate(file, 0, 0, bytes);
  if (allocated || allocated.error().code != EOPNOTSUPP) return allocated;
  const std::vector<std::byte> zeros(1 << 20);
  for (uint64_t at = 0; at < bytes; at += zeros.size()) {
    auto piece = std::span(zeros).first(std::min<uint64_t>(zeros.size(), bytes - at));
    TRY(sys::pwrite_all(file, piece, at));
  }
  return {};
}

}  // namespace

struct IndexTable::Header {
  uint64_t magic;
  uint64_t seed;
  uint64_t slots;
  uint64_t packs_max;
  std::atomic<uint64_t> used;
  std::atomic<uint64_t> sequence;
  std::atomic<uint32_t> packs;
  std::atomic<uint32_t> superseded;
  std::atomic<uint64_t> epoch;
};

struct IndexTable::Slot {
  std::atomic<uint64_t> fingerprint;
  std::atomic<uint64_t> place;  // 0: empty; written last
};

namespace {

uint64_t file_bytes_of(const IndexShape& shape) {
  return 64 + shape.packs_max * sizeof(uint64_t) + shape.slots * 2 * sizeof(uint64_t);
}

bool is_possible(const IndexShape& shape) {
  return shape.slots > 0 && shape.slots <= index_slots_max && shape.packs_max <= index_packs_max;
}

}  // namespace

const IndexTable::Header& IndexTable::header() const {
  static_assert(sizeof(Header) == 64 && sizeof(Slot) == 16);
  return *reinterpret_cast<const Header*>(mapping_.bytes().data());
}

IndexTable::Header& IndexTable::header() {
  return *reinterpret_cast<Header*>(mapping_.mutable_bytes().data());
}

std::span<const std::atomic<uint64_t>> IndexTable::pack_numbers() const {
  const auto* first = mapping_.bytes().data() + sizeof(Header);
  return {reinterpret_cast<const std::atomic<uint64_t>*>(first), shape_.packs_max};
}

std::span<std::atomic<uint64_t>> IndexTable::pack_numbers() {
  auto* first = mapping_.mutable_bytes().data() + sizeof(Header);
  return {reinterpret_cast<std::atomic<uint64_t>*>(first), shape_.packs_max};
}

std::span<const IndexTable::Slot> IndexTable::slots() const {
  const auto* first = mapping_.bytes().data() + sizeof(Header) + pack_numbers().size_bytes();
  return {reinterpret_cast<const Slot*>(first), shape_.slots};
}

std::span<IndexTable::Slot> IndexTable::slots() {
  auto* first = mapping_.mutable_bytes().data() + sizeof(Header) + pack_numbers().size_bytes();
  return {reinterpret_cast<Slot*>(first), shape_.slots};
}

Result<IndexTable> IndexTable::open(const Fd& directory, const char* name) {
  Fd file = TRY(sys::open_at(directory, name, O_RDWR));
  auto status = TRY(sys::stat(file));
  auto size = static_cast<uint64_t>(status.st_size);
  if (size < sizeof(Header)) return fail(EUCLEAN, "index");
  auto mapping = TRY(sys::Mapping::shared(file, size));
  const auto& header = *reinterpret_cast<const Header*>(mapping.bytes().data());
  IndexShape shape{.slots = header.slots, .packs_max = header.packs_max};
  if (header.magic != index_magic || !is_possible(shape) || size != file_bytes_of(shape) ||
      header.used.load() > shape.slots || header.packs.load() > shape.packs_max) {
    return fail(EUCLEAN, "index");
  }
  uint64_t seed = header.seed;
  return IndexTable(std::move(mapping), shape, seed);
}

Result<IndexTable> IndexTable::make(const Fd& directory, const char* name, const IndexShape& shape,
                                    uint64_t seed) {
  if (!is_possible(shape)) return fail(EFBIG, "index");
  static_cast<void>(sys::unlink_at(directory, name));
  Fd file = TRY(sys::open_at(directory, name, O_RDWR | O_CREAT | O_EXCL, 0600));
  auto made = lay_out(file, shape, seed);
  if (!made) static_cast<void>(sys::unlink_at(directory, name));
  return made;
}

Result<IndexTable> IndexTable::lay_out(const Fd& file, const IndexShape& shape, uint64_t seed) {
  TRY(allocate(file, file_bytes_of(shape)));
  Header header{};
  header.magic = index_magic;
  header.seed = seed;
  header.slots = shape.slots;
  header.packs_max = shape.packs_max;
  TRY(sys::pwrite_all(file, std::as_bytes(std::span(&header, 1)), 0));
  auto mapping = TRY(sys::Mapping::shared(file, file_bytes_of(shape)));
  return IndexTable(std::move(mapping), shape, seed);
}

uint64_t IndexTable::used() const { return std::min(header().used.load(), shape_.slots); }
uint64_t IndexTable::packs() const {
  return std::min<uint64_t>(header().packs.load(), shape_.packs_max);
}
uint64_t IndexTable::sequence() const { return header().sequence.load(std::memory_order_acquire); }
void IndexTable::set_sequence(uint64_t sequence) {
  header().sequence.store(sequence, std::memory_order_release);
}
bool IndexTable::is_superseded() const {
  return header().superseded.load(std::memory_order_acquire) != 0;
}
uint64_t IndexTable::epoch() const { return header().epoch.load(std::memory_order_acquire); }
void IndexTable::advance_epoch() { header().epoch.fetch_add(1); }
void IndexTable::set_superseded(bool superseded) { header().superseded.store(superseded ? 1 : 0); }

void IndexTable::find(uint64_t xxh3_low, uint64_t xxh3_high,
                      const std::function<bool(const Place&)>& each) const {
  uint64_t fingerprint = fingerprint_of(xxh3_low, xxh3_high, seed_);
  auto table = slots();
  auto numbers = pack_numbers();
  size_t at = home_of(fingerprint, table.size());
  for (size_t probes = 0; probes < table.size(); ++probes) {
    const Slot& slot = table[at];
    uint64_t place = slot.place.load(std::memory_order_acquire);
    if (place == 0) return;
    if (slot.fingerprint.load(std::memory_order_relaxed) == fingerprint &&
        place >> offset_bits < numbers.size()) {
      PackNumber pack = numbers[place >> offset_bits].load(std::memory_order_relaxed);
      if (each({.pack = pack, .offset = (place & offset_mask) * frame_alignment})) return;
    }
    if (++at == table.size()) at = 0;
  }
}

std::optional<uint32_t> IndexTable::pack_ordinal(PackNumber pack) {
  auto count = static_cast<uint32_t>(packs());
  auto numbers = pack_numbers();
  auto known = numbers.first(count);
  auto found = std::ranges::find_if(known, [&](const auto& number) { return number == pack; });
  if (found != known.end()) return static_cast<uint32_t>(found - known.begin());
  if (count == numbers.size()) return std::nullopt;
  numbers[count].store(pack, std::memory_order_relaxed);  // before any place that names it
  header().packs.store(count + 1);
  return count;
}

bool IndexTable::insert(uint64_t xxh3_low, uint64_t xxh3_high, uint32_t pack, uint64_t offset) {
  if (offset == 0 || offset >= pack_bytes_max || offset % frame_alignment != 0) return true;
  return insert(fingerprint_of(xxh3_low, xxh3_high, seed_),
                uint64_t{pack} << offset_bits | offset / frame_alignment);
}

bool IndexTable::insert(uint64_t fingerprint, uint64_t place) {
  auto table = slots();
  size_t at = home_of(fingerprint, table.size());
  for (size_t probes = 0; probes < table.size(); ++probes) {
    Slot& slot = table[at];
    uint64_t there = slot.place.load(std::memory_order_relaxed);
    if (there == place && slot.fingerprint.load(std::memory_order_relaxed) == fingerprint) {
      return true;
    }
    if (there == 0) {
      slot.fingerprint.store(fingerprint, std::memory_order_relaxed);
      slot.place.store(place, std::memory_order_release);
      header().used.fetch_add(1);
      return true;
    }
    if (++at == table.size()) at = 0;
  }
  return false;
}

bool IndexTable::insert_all_of(const IndexTable& other) {
  auto numbers = other.pack_numbers().first(other.packs());
  auto own = pack_numbers();
  if (numbers.size() > own.size()) return false;
  for (size_t i = 0; i < numbers.size(); ++i) own[i].store(numbers[i].load());
  header().packs.store(static_cast<uint32_t>(numbers.size()));
  for (const Slot& slot : other.slots()) {
    uint64_t place = slot.place.load(std::memory_order_relaxed);
    if (place == 0 || place >> offset_bits >= numbers.size()) continue;
    if (!insert(slot.fingerprint.load(std::memory_order_relaxed), place)) return false;
  }
  return true;
}

}  // namespace lyr::store
