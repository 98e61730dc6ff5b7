// SPDX-License-Identifier: Apache-2.0
// A directory tree in memory, while it is built: what LayerTreeBuilder and merge_trees work on and
// write_tree turns into a tree image. Flat tables, some 70 bytes for a file: images of a million
// files are built on small machines. Nodes are never removed, only unnamed; what has no name is not
// written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/record_index.h"
#include "store/spool.h"
#include "store/table.h"
#include "store/texts.h"
#include "store/tree.h"
#include "store/tree_builder.h"
#include "store/tree_format.h"

namespace lyr::store {

using NodeIndex = uint32_t;
constexpr NodeIndex root_node = 0;
constexpr NodeIndex no_node = UINT32_MAX;
constexpr uint32_t no_name = UINT32_MAX;
constexpr uint32_t whole_object = UINT32_MAX;  // as a file's count: all of it is object `first`

using XattrList = std::vector<std::pair<std::string, std::string>>;  // sorted

// What many inodes have in common.
struct TreeOwner {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t xattrs = 0;  // of TreeModel::xattr_lists
  bool operator==(const TreeOwner&) const = default;
};

struct TreeNode {
  uint64_t size = 0;  // of a file
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanoseconds = 0;
  uint32_t owner = 0;            // of TreeModel::owners
  NodeIndex parent = root_node;  // of a directory
  // Of a file its extents, of a symlink or link away its target in the texts, of a device its
  // numbers, of a directory the first of its names.
  uint32_t first = 0;
  uint32_t count = 0;
  uint16_t mode = 0;  // with S_IFMT bits; without for a whiteout and a link away
  uint8_t flags = 0;
};
static_assert(sizeof(TreeNode) == 40);

// A name in a directory. Never removed: an entry without a node is none.
struct TreeName {
  NodeIndex directory = no_node;
  NodeIndex node = no_node;
  uint32_t text = 0;  // in TreeModel::texts
  uint32_t next = 0;  // of the directory's names
};

struct TreeModel {
  Table<TreeNode> nodes;
  Table<TreeExtentRecord> extents;     // of files that are not one whole object
  std::vector<XattrList> xattr_lists;  // the first has none
  std::vector<TreeOwner> owners;       // the first is root's
  Texts texts;

  TreeModel();
  NodeIndex add(const TreeNode& node);
  NodeIndex add_directory(NodeIndex parent, uint32_t mode, uint32_t flags);
  uint32_t owner(uint32_t uid, uint32_t gid, const XattrList& xattrs);
  std::string_view target(const TreeNode& node) const { return texts.at(node.first); }
  // Gives a file of `size` bytes its content.
  Result<> set_content(TreeNode& node, uint64_t size, std::span<const TreeExtentRecord> content);
  template <class Each>
  void each_extent(const TreeNode& file, const Each& each) const {
    if (file.count == whole_object) {
      each(TreeExtentRecord{0, file.size, file.first, 0});
      return;
    }
    for (uint32_t i = 0; i < file.count; ++i) each(extents[file.first + i]);
  }
  // Another number for each object that extents count.
  void renumber_objects(const Table<uint32_t>& numbers);

  NodeIndex child(NodeIndex directory, std::string_view name) const;  // no_node when absent
  // Gives `node` the name, whoever had it.
  Result<> set_child(NodeIndex directory, std::string_view name, NodeIndex node);
  void remove_child(NodeIndex directory, std::string_view name);
  void remove_children(NodeIndex directory);
  // Puts a directory's names in their order, bytewise, and counts them; those of no node are
  // forgotten. Once for each, when the model is whole.
  void sort_names(NodeIndex directory);
  template <class Each>
  void each_name(NodeIndex directory, const Each& each) const {
    for (uint32_t at = nodes[directory].first; at != no_name; at = names_[at].next) {
      each(names_[at]);
    }
  }
  // Forgets how names are found: from here on they are only listed.
  void drop_indexes();
  // Splits like the kernel does, from the root; symlinks are not followed. no_node when absent.
  NodeIndex find(std::string_view path) const;
  size_t memory_bytes() const;

 private:
  explicit TreeModel(uint64_t seed);
  uint32_t xattrs(const XattrList& list);
  uint64_t hash_of(NodeIndex directory, uint32_t text) const;
  std::optional<uint32_t> entry(NodeIndex directory, std::string_view name) const;

  Table<TreeName> names_;
  RecordIndex names_index_;
  RecordIndex owners_index_;
  std::map<XattrList, uint32_t> xattrs_index_;
  uint64_t seed_;  // so that nobody can make names that all hash to one place
};

// The parts of a tar path; "" and "." dropped. EINVAL: ".." or NUL. ENAMETOOLONG, ELOOP: past the
// limits.
Result<std::vector<std::string_view>> split_path(std::string_view path);

// The tree image's bytes, appended to `to`.
Result<Spool> write_tree(TreeModel model, const TreeObjects& objects, Spool to);

}  // namespace lyr::store
