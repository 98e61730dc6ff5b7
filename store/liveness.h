// SPDX-License-Identifier: Apache-2.0
// Which objects in the packs are needed: every object of every pack, by the packs' footers, and a
// mark on those that a recipe names. Marking goes by XXH3-128 alone: two objects with equal keys
// are both kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/catalog.h"
#include "store/pack_set.h"
#include "store/recipe.h"

namespace lyr::store {

// One pack and its objects, which are entries [first, first + count) of all.
struct PackObjects {
  PackRecord record;
  // 0: the footer is damaged. Objects may be known all the same, by their frames, but not all.
  uint64_t footer_bytes = 0;
  uint32_t first = 0;
  uint32_t count = 0;
};

// Not thread-safe. Memory: about 50 bytes an object.
class Liveness {
 public:
  // Of all packs the catalogue has now; what was dropped is left out.
  static Result<Liveness> of_packs(const Fd& packs, const Catalog& catalog);

  void mark(const Recipe& recipe);
  // Of several copies of one object all but one that can be read are unmarked. Where one of them
  // was written to lie beside others of its file (frame_beside), more stay: each that lies beside
  // what is marked.
  void unmark_duplicates(PackSet& packs);

  std::span<const PackObjects> packs() const { return packs_; }
  // The pack's objects in the order of their offsets.
  std::span<const PackFooterEntry> entries(const PackObjects& pack) const {
    return std::span(entries_).subspan(pack.first, pack.count);
  }
  bool live(const PackObjects& pack, size_t index) const { return live_[pack.first + index] != 0; }
  bool has_key(const ObjectId& object) const;
  uint64_t references() const { return references_; }  // that were marked, each time counted
  uint64_t missing() const { return missing_; }        // of those, with no object in any pack

 private:
  struct Slot {
    uint32_t tag = 0;    // of the key
    uint32_t entry = 0;  // + 1; 0: empty
  };

  Result<> add(const Fd& packs, const Catalog& catalog, const PackRecord& record);
  Result<> build();
  // The multiplier is random: whoever makes up objects cannot have them all in one place.
  size_t place_of(uint64_t xxh3_low) const { return (xxh3_low * multiplier_) >> shift_; }
  void mark(const ObjectId& object);
  const PackObjects& pack_of(uint32_t entry) const;
  struct Copy {
    uint32_t entry = 0;
    FrameHeader header{};
    bool needed = false;  // where it is, whatever others there are
    bool is_beside() const { return (header.flags & frame_beside) != 0; }
  };
  std::vector<Copy> copies_of(PackSet& packs, uint32_t entry) const;
  bool is_whole(PackSet& packs, const Copy& copy) const;
  bool is_beside_live(uint32_t entry) const;
  void unmark_copies(PackSet& packs, std::span<Copy> copies);
  void unmark_all_but_one(PackSet& packs, std::span<const Copy> copies);

  std::vector<PackObjects> packs_;
  std::vector<PackFooterEntry> entries_;
  std::vector<uint8_t> live_;
  std::vector<Slot> slots_;  // 1 << (64 - shift_)
  uint64_t multiplier_ = 1;
  int shift_ = 0;
  std::vector<uint32_t> repeated_;  // entries whose key an earlier one has
  // Of each entry: whether others have its key, one of them so as to lie beside others.
  std::vector<bool> has_copies_;
  uint64_t references_ = 0;
  uint64_t missing_ = 0;
};

}  // namespace lyr::store
