// SPDX-License-Identifier: Apache-2.0
// Which rows of the node table have a name: a hash table of eight bytes an item, which knows the
// names' hashes and leaves the names to whoever asks. It is in parts, each of which grows by
// itself: half a million names are never moved at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lyr::unionfs {

// Not thread-safe.
class NameIndex {
 public:
  // The first row under this hash that `is_it`; 0: there is none.
  template <class IsIt>
  uint32_t find(uint32_t hash, IsIt is_it) const {
    const Part& part = parts_[hash % parts_count];
    if (part.count == 0) return 0;
    for (size_t at = part.home(hash); part.items[at].row != 0; at = part.after(at)) {
      const Item& item = part.items[at];
      if (item.hash == hash && is_it(item.row)) return item.row;
    }
    return 0;
  }
  // A row may be there under several hashes, or several times under one.
  void add(uint32_t hash, uint32_t row);
  void remove(uint32_t hash, uint32_t row);  // once

 private:
  static constexpr size_t parts_count = 64;
  struct Item {
    uint32_t hash;
    uint32_t row;  // 0: there is none
    bool operator==(const Item&) const = default;
  };
  // Linear probing. An item's home grows with its hash, so that the table can be of any size.
  struct Part {
    std::vector<Item> items;
    size_t count = 0;

    size_t home(uint32_t hash) const { return uint64_t{hash} * items.size() >> 32; }
    size_t after(size_t at) const { return at + 1 == items.size() ? 0 : at + 1; }
    size_t distance(size_t from, size_t to) const {
      return to >= from ? to - from : to + items.size() - from;
    }
    void put(const Item& item);
    void resize(size_t size);
  };
  std::array<Part, parts_count> parts_;
};

}  // namespace lyr::unionfs
