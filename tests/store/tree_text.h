// SPDX-License-Identifier: Apache-2.0
// Trees for tests: opened from bytes, and written out as one line a name, so that two trees can be
// compared and a failure can be read.
#pragma once

#include <sys/stat.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "store/tree.h"
#include "store/tree_builder.h"

namespace lyr::store {

inline Result<Fd> unnamed_file(std::span<const std::byte> bytes) {
  const char* directory = std::getenv("TMPDIR");
  Fd dir = TRY(sys::open(directory != nullptr ? directory : "/tmp", O_RDONLY | O_DIRECTORY));
  Fd file = TRY(sys::open_unnamed(dir, O_RDWR, 0600));
  TRY(sys::write_all(file, bytes));
  return file;
}

inline Result<Tree> tree_from(std::span<const std::byte> bytes,
                              TreeCheck check = TreeCheck::everything) {
  return Tree::open(TRY(unnamed_file(bytes)), check);
}

// What a test can rely on: aborts with the error when `result` is one.
template <class T>
T must(Result<T> result) {
  if (!result) std::fprintf(stderr, "unexpected: %s\n", describe(result.error()).c_str());
  CHECK(result.has_value());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline std::vector<std::byte> bytes_of(const Spool& spool) {
  auto bytes = spool.in_memory();
  return {bytes.begin(), bytes.end()};
}
inline std::vector<std::byte> bytes_of(LayerTreeBuilder& builder) {
  return bytes_of(must(builder.finish()));
}

inline Tree built(LayerTreeBuilder& builder) { return must(tree_from(bytes_of(builder))); }

inline std::string line_of(const Tree& tree, Ino ino) {
  TreeAttr attr = tree.attr(ino);
  char text[200];
  std::snprintf(text, sizeof text, "%06o %u:%u n%u %u,%u %llu @%lld.%09u%s%s", attr.mode, attr.uid,
                attr.gid, attr.nlink, attr.device_major, attr.device_minor,
                static_cast<unsigned long long>(attr.size),
                static_cast<long long>(attr.mtime_seconds), attr.mtime_nanoseconds,
                attr.whiteout ? " whiteout" : "", attr.opaque ? " opaque" : "");
  std::string line = text;
  if (S_ISLNK(attr.mode)) line += " -> " + std::string(tree.symlink_target(ino));
  for (uint32_t i = 0; i < tree.xattr_count(ino); ++i) {
    TreeXattr xattr = tree.xattr(ino, i);
    line += " " + std::string(xattr.name) + "=" + std::string(xattr.value);
  }
  for (uint32_t i = 0; i < tree.extent_count(ino); ++i) {
    Extent extent = tree.extent(ino, i);
    line += " [" + std::to_string(extent.file_offset) + "+" + std::to_string(extent.length) + " " +
            extent.object.sha256.hex().substr(0, 8) + "@" + std::to_string(extent.object_offset) +
            "]";
  }
  return line;
}

inline void list_tree(const Tree& tree, Ino directory, const std::string& path, bool with_attr,
                      std::vector<std::string>& lines) {
  for (uint32_t i = 0; i < tree.entry_count(directory); ++i) {
    TreeEntry entry = tree.entry(directory, i);
    std::string name = path + "/" + std::string(entry.name);
    CHECK(tree.lookup(directory, entry.name) == entry.ino);
    lines.push_back(with_attr ? name + " " + line_of(tree, entry.ino) : name);
    if (S_ISDIR(tree.attr(entry.ino).mode)) list_tree(tree, entry.ino, name, with_attr, lines);
  }
}

// Every name below the root, depth first in the tree's order.
inline std::vector<std::string> names_of(const Tree& tree) {
  std::vector<std::string> lines;
  list_tree(tree, root_ino, "", false, lines);
  return lines;
}

// Names with everything an inode says.
inline std::vector<std::string> lines_of(const Tree& tree) {
  std::vector<std::string> lines = {"/ " + line_of(tree, root_ino)};
  list_tree(tree, root_ino, "", true, lines);
  return lines;
}

inline NodeAttr attr_of(uint32_t mode, uint32_t uid = 0, uint32_t gid = 0) {
  NodeAttr attr;
  attr.mode = mode;
  attr.uid = uid;
  attr.gid = gid;
  return attr;
}

}  // namespace lyr::store
