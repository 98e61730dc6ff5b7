// SPDX-License-Identifier: Apache-2.0
// One index.tbl, mapped shared: an open-addressing table of 16-byte slots (docs/formats.md,
// "Index"). Any number of threads and processes read while one writes: a slot is filled once, its
// place last, and never changed. Whatever the bytes are or become, no call leaves the mapping.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/sys_file.h"
#include "store/pack.h"

namespace lyr::store {

struct Place {
  PackNumber pack = 0;
  uint64_t offset = 0;  // of the frame; never 0
};

struct IndexShape {
  uint64_t slots = 0;
  uint64_t packs_max = 0;  // how many packs the places may name
};

constexpr uint64_t index_slots_min = 1 << 15;
constexpr uint64_t index_slots_max = uint64_t{1} << 32;
constexpr uint64_t index_packs_min = 1 << 12;
constexpr uint64_t index_packs_max = 1 << 24;

class IndexTable {
 public:
  // EUCLEAN: none of ours. ENOENT: none.
  static Result<IndexTable> open(const Fd& directory, const char* name);
  // An empty table in a new file, all of it allocated: a mapped page that the disk has no room for
  // would be a SIGBUS. A file of that name is removed first. `seed` makes fingerprints.
  static Result<IndexTable> make(const Fd& directory, const char* name, const IndexShape& shape,
                                 uint64_t seed);

  const IndexShape& shape() const { return shape_; }
  uint64_t seed() const { return seed_; }
  uint64_t used() const;   // slots
  uint64_t packs() const;  // that have an ordinal
  uint64_t sequence() const;
  void set_sequence(uint64_t sequence);
  // Another file stands in this one's place, or is about to.
  bool is_superseded() const;
  void set_superseded(bool superseded);
  // Grows when frames are about to go from where they were found; see Index::epoch().
  uint64_t epoch() const;
  void advance_epoch();

  // Calls `each` for every place of this key, until it returns true.
  void find(uint64_t xxh3_low, uint64_t xxh3_high,
            const std::function<bool(const Place&)>& each) const;

  // For the one who writes. A pack's number in places, given one when it has none: nullopt when
  // there is no room. Slow: remember it.
  std::optional<uint32_t> pack_ordinal(PackNumber pack);
  // False: full. An offset that no frame can have is left out. Twice is harmless.
  bool insert(uint64_t xxh3_low, uint64_t xxh3_high, uint32_t pack, uint64_t offset);
  // All packs and places of a table of the same seed, into this empty one that has room for them.
  bool insert_all_of(const IndexTable& other);

 private:
  struct Header;
  struct Slot;
  IndexTable(sys::Mapping mapping, const IndexShape& shape, uint64_t seed)
      : mapping_(std::move(mapping)), shape_(shape), seed_(seed) {}

  // The same, in a new file.
  static Result<IndexTable> lay_out(const Fd& file, const IndexShape& shape, uint64_t seed);
  const Header& header() const;
  Header& header();
  std::span<const std::atomic<uint64_t>> pack_numbers() const;
  std::span<std::atomic<uint64_t>> pack_numbers();
  std::span<const Slot> slots() const;
  std::span<Slot> slots();
  bool insert(uint64_t fingerprint, uint64_t place);

  sys::Mapping mapping_;
  IndexShape shape_;  // as it was checked: others may write to the header
  uint64_t seed_;
};

}  // namespace lyr::store
