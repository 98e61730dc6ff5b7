// SPDX-License-Identifier: Apache-2.0
#include "unionfs/scan_order.h"

#include <sys/stat.h>

#include <algorithm>

namespace lyr::unionfs {
namespace {

using store::Ino;
using store::no_ino;
using store::root_ino;

constexpr uint32_t before_all = UINT32_MAX;  // one less than the first index
constexpr int scan_steps_max = 1000;         // over entries that are no such files

}  // namespace

ScanOrder::ScanOrder(const store::Tree& tree) : tree_(tree) {
  Ino unnamed = root_ino + 1;  // the lowest number that had no name so far
  for (Ino ino = root_ino; ino <= tree.inode_count(); ++ino) {
    if (!S_ISDIR(tree.attr(ino).mode)) continue;
    Ino first = unnamed;
    for (uint32_t i = 0; i < tree.entry_count(ino); ++i)
      unnamed = std::max(unnamed, tree.entry(ino, i).ino + 1);
    if (unnamed != first) children_.push_back({first, ino});
  }
}

ScanOrder::Cursor ScanOrder::at(Ino ino) const {
  auto after = std::ranges::upper_bound(children_, ino, {}, &Children::first);
  if (after == children_.begin()) return {root_ino, before_all};
  const Children& children = *std::prev(after);
  uint32_t count = tree_.entry_count(children.directory);
  // Between those that are numbered here stand names of others.
  uint32_t index = ino - children.first;
  while (index < count && tree_.entry(children.directory, index).ino != ino) ++index;
  return {children.directory, index};
}

Ino ScanOrder::next_file(Cursor& cursor) const {
  for (int step = 0; step < scan_steps_max; ++step) {
    ++cursor.index;  // from before_all to 0
    if (cursor.index >= tree_.entry_count(cursor.directory)) {
      if (cursor.directory == root_ino) break;
      cursor = at(cursor.directory);
      continue;
    }
    Ino ino = tree_.entry(cursor.directory, cursor.index).ino;
    store::TreeAttr attr = tree_.attr(ino);
    if (S_ISREG(attr.mode) && attr.size > 0) return ino;
    if (S_ISDIR(attr.mode)) cursor = {ino, before_all};
  }
  return no_ino;
}

}  // namespace lyr::unionfs
