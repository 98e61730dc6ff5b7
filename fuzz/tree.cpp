// SPDX-License-Identifier: Apache-2.0
// Any bytes are a tree or are refused; what is taken can be walked, merged and written again. The
// checksum is put right first, so that the checks behind it are what is tested.
#include "store/tree.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "store/tree_builder.h"
#include "store/tree_format.h"

namespace {

using namespace lyr;
using namespace lyr::store;

Result<Tree> open_bytes(std::span<const std::byte> bytes) {
  Fd directory = TRY(sys::open("/tmp", O_RDONLY | O_DIRECTORY));
  Fd file = TRY(sys::open_unnamed(directory, O_RDWR, 0600));
  TRY(sys::write_all(file, bytes));
  return Tree::open(std::move(file));
}

size_t look_at(const Tree& tree, Ino ino) {
  TreeAttr attr = tree.attr(ino);
  size_t seen = attr.size + tree.symlink_target(ino).size();
  for (uint32_t i = 0; i < tree.xattr_count(ino); ++i) {
    for (char c : tree.xattr(ino, i).name) seen += static_cast<uint8_t>(c);
    for (char c : tree.xattr(ino, i).value) seen += static_cast<uint8_t>(c);
  }
  for (uint32_t i = 0; i < tree.alias_count(ino); ++i) {
    seen += tree.lookup(tree.alias(ino, i).directory, tree.alias(ino, i).name);
  }
  for (uint32_t i = 0; i < tree.extent_count(ino); ++i) {
    Extent extent = tree.extent(ino, i);
    CHECK(extent.length > 0 && extent.file_offset + extent.length <= attr.size);
    CHECK(extent.object_offset + extent.length <= object_bytes_max);
    CHECK(tree.extent_at(ino, extent.file_offset) == i);
  }
  return seen;
}

void walk(const Tree& tree, Ino directory, size_t depth) {
  CHECK(depth <= path_depth_max);
  look_at(tree, directory);
  for (uint32_t i = 0; i < tree.entry_count(directory); ++i) {
    TreeEntry entry = tree.entry(directory, i);
    CHECK(entry.ino >= root_ino && entry.ino <= tree.inode_count());
    static_cast<void>(tree.lookup(directory, entry.name));
    if (S_ISDIR(tree.attr(entry.ino).mode)) {
      CHECK(tree.parent(entry.ino) == directory);
      walk(tree, entry.ino, depth + 1);
    } else {
      look_at(tree, entry.ino);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> image(bytes.begin(), bytes.end());
  if (image.size() >= sizeof(TreeHeader)) {
    TreeHeader header;
    std::memcpy(&header, image.data(), sizeof header);
    auto summed = std::span(image).subspan(tree_checksum_from);
    header.checksum = XXH3_64bits(summed.data(), summed.size());
    header.file_bytes = image.size();
    std::memcpy(image.data(), &header, sizeof header);
  }
  auto tree = open_bytes(image);
  if (!tree) return 0;
  walk(*tree, root_ino, 0);
  static_cast<void>(resolve(*tree, "a/../b/./c", true));
  const Tree* layers[] = {&*tree, &*tree};
  auto merged = merge_trees(layers);
  if (merged) CHECK(open_bytes(*merged).has_value());
  return 0;
}
