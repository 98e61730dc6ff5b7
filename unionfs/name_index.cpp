// SPDX-License-Identifier: Apache-2.0
#include "unionfs/name_index.h"

#include <algorithm>
#include <utility>

namespace lyr::unionfs {
namespace {

constexpr size_t size_min = 8;

// Four fifths full at most, then half as large again; halved when less than a quarter full.
bool is_full(size_t count, size_t size) { return count * 5 > size * 4; }
bool is_sparse(size_t count, size_t size) { return size > size_min && count * 4 < size; }

}  // namespace

void NameIndex::Part::put(const Item& item) {
  size_t at = home(item.hash);
  while (items[at].row != 0) at = after(at);
  items[at] = item;
}

void NameIndex::Part::resize(size_t size) {
  std::vector<Item> old(std::max(size, size_min));
  old.swap(items);
  for (const Item& item : old) {
    if (item.row != 0) put(item);
  }
}

void NameIndex::add(uint32_t hash, uint32_t row) {
  Part& part = parts_[hash % parts_count];
  if (is_full(part.count + 1, part.items.size()))
    part.resize(part.items.size() + part.items.size() / 2);
  part.put({hash, row});
  ++part.count;
}

void NameIndex::remove(uint32_t hash, uint32_t row) {
  Part& part = parts_[hash % parts_count];
  if (part.count == 0) return;
  size_t gap = part.home(hash);
  while (part.items[gap].row != 0 && part.items[gap] != Item{hash, row}) gap = part.after(gap);
  if (part.items[gap].row == 0) return;
  // What stands behind because of it moves up.
  for (size_t at = part.after(gap); part.items[at].row != 0; at = part.after(at)) {
    size_t home = part.home(part.items[at].hash);
    if (part.distance(home, at) < part.distance(gap, at)) continue;
    part.items[gap] = part.items[at];
    gap = at;
  }
  part.items[gap] = {};
  --part.count;
  if (is_sparse(part.count, part.items.size())) part.resize(part.items.size() / 2);
}

}  // namespace lyr::unionfs
