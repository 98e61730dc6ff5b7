// SPDX-License-Identifier: Apache-2.0
// A tree image: one directory tree as a flat, immutable, mmap-able metadata file (docs/formats.md,
// "tree"). Content is named by object, never stored here. A *layer tree* may hold whiteouts, opaque
// marks and links to paths of lower layers; an *image tree* (merged) never does. Everything in the
// file is validated before its import is committed; after that every accessor is safe, allocates
// nothing and may be called from any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "store/object.h"

namespace lyr::store {

// Inode number in one tree: 1 is the root directory, numbers are dense up to Tree::inode_count().
// 0: none.
using Ino = uint32_t;
constexpr Ino root_ino = 1;
constexpr Ino no_ino = 0;
constexpr uint32_t no_entry = UINT32_MAX;  // where an entry of a directory is meant

constexpr int links_followed_max = 40;  // in one path, as the kernel's MAXSYMLINKS

struct TreeAttr {
  uint32_t mode = 0;  // S_IFMT type and permission bits
  uint32_t uid = 0;   // as in the image, not mapped
  uint32_t gid = 0;
  uint32_t nlink = 1;  // directories: 2 + subdirectories
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t size = 0;  // files and symlinks; directories 0
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanoseconds = 0;
  bool whiteout = false;  // layer trees only: hides the name in lower layers
  bool opaque = false;    // layer trees only: a directory that hides all of the lower one
};

struct TreeEntry {
  std::string_view name;  // 1..255 bytes, no '/' nor NUL; valid as long as the tree
  Ino ino = no_ino;
};

struct TreeXattr {
  std::string_view name;
  std::string_view value;
};

// Where a name of an inode stands: for inodes with several names.
struct TreeAlias {
  Ino directory = no_ino;
  std::string_view name;
};

// How much of a tree image is looked at when it is opened.
enum class TreeCheck {
  everything,  // whatever wrote the file, no accessor can leave it
  checksum,    // for a file of which everything was checked before, and that is ours alone
};

class Tree {
 public:
  // EUCLEAN with the reason for anything that is not a whole, valid tree image.
  static Result<Tree> open(Fd file, TreeCheck check = TreeCheck::everything);
  Tree(Tree&&) noexcept;
  Tree& operator=(Tree&&) noexcept;
  ~Tree();

  uint32_t inode_count() const;  // inos are 1..inode_count()
  TreeAttr attr(Ino ino) const;
  // The parent of a directory (the root's is the root).
  Ino parent(Ino directory) const;

  // One hash probe, whatever the size of the directory. no_ino when absent.
  Ino lookup(Ino directory, std::string_view name) const;
  // The same, as an index for entry(). no_entry when absent.
  uint32_t find(Ino directory, std::string_view name) const;
  uint32_t entry_count(Ino directory) const;
  // The entries in a fixed order; index < entry_count(directory).
  TreeEntry entry(Ino directory, uint32_t index) const;

  std::string_view symlink_target(Ino ino) const;
  uint32_t xattr_count(Ino ino) const;
  TreeXattr xattr(Ino ino, uint32_t index) const;
  // Of any inode.
  bool has_xattrs() const;
  bool has_xattr(std::string_view name) const;  // looks at all there are

  // Sorted by file_offset, not overlapping.
  uint32_t extent_count(Ino ino) const;
  Extent extent(Ino ino, uint32_t index) const;
  // Index of the first extent that ends after `file_offset`; extent_count(ino) when there is none.
  uint32_t extent_at(Ino ino, uint64_t file_offset) const;

  // All names of an inode that has more than one; empty when it has one.
  uint32_t alias_count(Ino ino) const;
  TreeAlias alias(Ino ino, uint32_t index) const;

  // Total of file sizes, each inode once.
  uint64_t content_bytes() const;

  struct Image;  // the mapped tables: store/tree_image.h

 private:
  friend const Image& tree_image(const Tree& tree);
  explicit Tree(std::unique_ptr<Image> image);
  std::unique_ptr<Image> image_;
};

// Resolves `path` from the root inside the tree, following symlinks there (at most 40); never a
// host path. no_ino when absent.
Ino resolve(const Tree& tree, std::string_view path, bool follow_last);

}  // namespace lyr::store
