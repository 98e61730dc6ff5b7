// SPDX-License-Identifier: Apache-2.0
// In which order an image's files are read by who reads all of them: tar, cp -r, grep -r, a
// scanner. They take a directory's entries as it lists them, and what is in a directory when they
// are at it.
#pragma once

#include <cstdint>
#include <vector>

#include "store/tree.h"

namespace lyr::unionfs {

// Thread-safe. The tree outlives it.
class ScanOrder {
 public:
  // Goes through the whole tree.
  explicit ScanOrder(const store::Tree& tree);

  // A place in the order.
  struct Cursor {
    store::Ino directory = store::no_ino;
    uint32_t index = 0;  // of its entry
  };
  // Where `ino`, which is not the root, stands. Of a file with several names: the first in the
  // order of inode numbers.
  Cursor at(store::Ino ino) const;
  // The next regular file that is not empty, and moves there; no_ino when there is none, or none
  // near. One that has several names comes as often.
  store::Ino next_file(Cursor& cursor) const;

 private:
  struct Children {
    store::Ino first;  // the lowest number of those that no directory before it has
    store::Ino directory;
  };

  const store::Tree& tree_;
  // The numbers of a directory's entries follow each other (store/tree_writer.cpp), so both rise.
  std::vector<Children> children_;
};

}  // namespace lyr::unionfs
