// SPDX-License-Identifier: Apache-2.0
// Any bytes are a tree or are refused; what is taken can be walked, finds what it lists, and is the
// same after it was merged and written again. The checksum is put right first, so that the checks
// behind it are what is tested.
#include "store/tree.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "store/tree_builder.h"
#include "store/tree_format.h"
#include "tests/store/tree_text.h"

namespace {

using namespace lyr;
using namespace lyr::store;

size_t look_at(const Tree& tree, Ino ino) {
  TreeAttr attr = tree.attr(ino);
  size_t seen = attr.size + tree.symlink_target(ino).size();
  for (uint32_t i = 0; i < tree.xattr_count(ino); ++i) {
    for (char c : tree.xattr(ino, i).name) seen += static_cast<uint8_t>(c);
    for (char c : tree.xattr(ino, i).value) seen += static_cast<uint8_t>(c);
  }
  for (uint32_t i = 0; i < tree.alias_count(ino); ++i) {
    CHECK(tree.lookup(tree.alias(ino, i).directory, tree.alias(ino, i).name) == ino);
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
    CHECK(tree.lookup(directory, entry.name) == entry.ino);
    CHECK(i == 0 || tree.entry(directory, i - 1).name < entry.name);
    if (S_ISDIR(tree.attr(entry.ino).mode)) {
      CHECK(tree.parent(entry.ino) == directory);
      walk(tree, entry.ino, depth + 1);
    } else {
      look_at(tree, entry.ino);
    }
  }
}

// Each name is found again by its path, and a name that is not listed is not found.
void check_found(const Tree& tree) {
  for (const std::string& path : names_of(tree)) {
    Ino ino = resolve(tree, path, false);
    CHECK(ino != no_ino && !tree.attr(ino).whiteout);
    if (S_ISDIR(tree.attr(ino).mode)) CHECK(tree.lookup(ino, "/") == no_ino);
  }
}

// An image's tree is whole, and merging changes nothing that is merged already: the layer put over
// itself, and the image as a layer, give the same image.
void check_merged(const Tree& tree) {
  const Tree* layers[] = {&tree, &tree};
  auto merged = merge_trees(std::span(layers).first(1));
  if (!merged) return;
  Tree image = must(tree_from(merged->in_memory()));
  const std::vector<std::string> lines = lines_of(image);
  check_found(image);
  CHECK(lines_of(must(tree_from(bytes_of(must(merge_trees(layers)))))) == lines);
  const Tree* images[] = {&image};
  CHECK(lines_of(must(tree_from(bytes_of(must(merge_trees(images)))))) == lines);
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
  auto tree = tree_from(image);
  if (!tree) return 0;
  walk(*tree, root_ino, 0);
  static_cast<void>(resolve(*tree, "a/../b/./c", true));
  check_merged(*tree);
  return 0;
}
