// SPDX-License-Identifier: Apache-2.0
// The mapped tables of a Tree, for the files of this room that read them directly.
#pragma once

#include <functional>
#include <span>

#include "base/sys_file.h"
#include "store/tree.h"
#include "store/tree_format.h"

namespace lyr::store {

struct Tree::Image {
  sys::Mapping mapping;
  std::span<const std::byte> bytes;
  const TreeHeader* header = nullptr;
  std::span<const TreeInodeRecord> inodes;  // inode 1 is inodes[0]
  std::span<const TreeEntryRecord> entries;
  std::span<const uint32_t> slots;  // entry index within the directory + 1; 0: empty
  std::span<const TreeXattrRecord> xattrs;
  std::span<const TreeExtentRecord> extents;
  std::span<const TreeObjectRecord> objects;
  std::span<const TreeAliasRecord> aliases;
  const char* strings = nullptr;

  std::string_view text(uint32_t offset, uint32_t size) const { return {strings + offset, size}; }
  uint32_t find(Ino directory, std::string_view name) const;  // no_entry: absent
  Ino lookup(Ino directory, std::string_view name) const;     // no_ino: absent
};

ObjectId object_id(const TreeObjectRecord& record);

const Tree::Image& tree_image(const Tree& tree);

// The reason why `bytes` are not a valid tree, or null. The first looks at header, checksum and
// where tables lie, and sets the image's; the second at every record, and keeps little of a mapping
// in memory. What both have passed is all that an accessor relies on. `between`: see xxh3_in_steps.
const char* check_tree_tables(std::span<const std::byte> bytes, Tree::Image& image,
                              const std::function<void()>& between);
const char* check_tree_records(const Tree::Image& image);

}  // namespace lyr::store
