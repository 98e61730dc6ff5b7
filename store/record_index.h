// SPDX-License-Identifier: Apache-2.0
// Finds one of many records that lie in a vector elsewhere: an open-addressing table of their
// numbers and a half of their hashes, 8 bytes a slot, at most three quarters full.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lyr::store {

class RecordIndex {
 public:
  // The first record of this hash of which `is_it(number)` says that it is the one.
  template <class IsIt>
  std::optional<uint32_t> find(uint64_t hash, IsIt&& is_it) const {
    if (slots_.empty()) return std::nullopt;
    size_t mask = slots_.size() - 1;
    auto half = static_cast<uint32_t>(hash);
    for (size_t at = half & mask; slots_[at].number != none; at = (at + 1) & mask) {
      if (slots_[at].hash == half && is_it(slots_[at].number)) return slots_[at].number;
    }
    return std::nullopt;
  }

  // `number` < UINT32_MAX, and not yet in it.
  void insert(uint64_t hash, uint32_t number) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    place({static_cast<uint32_t>(hash), number});
    ++count_;
  }
  size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  struct Slot {
    uint32_t hash = 0;
    uint32_t number = none;
  };

  void place(const Slot& slot) {
    size_t mask = slots_.size() - 1;
    size_t at = slot.hash & mask;
    while (slots_[at].number != none) at = (at + 1) & mask;
    slots_[at] = slot;
  }

  void grow() {
    std::vector<Slot> old = std::exchange(slots_, {});
    slots_.resize(old.empty() ? 64 : old.size() * 2);
    for (const Slot& slot : old) {
      if (slot.number != none) place(slot);
    }
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace lyr::store
