// SPDX-License-Identifier: Apache-2.0
// A directory tree in memory, while it is built: what LayerTreeBuilder and merge_trees work on and
// write_tree turns into a tree image. Flat tables, some 100 bytes for a file: images of a million
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
#include "store/tree.h"
#include "store/tree_builder.h"
#include "store/tree_format.h"

namespace lyr::store {

using NodeIndex = uint32_t;
constexpr NodeIndex root_node = 0;
constexpr NodeIndex no_node = UINT32_MAX;

using XattrList = std::vector<std::pair<std::string, std::string>>;  // sorted

struct TreeNode {
  uint64_t size = 0;  // of a file
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanoseconds = 0;
  uint32_t mode = 0;  // with S_IFMT bits; without for a whiteout and a link away
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t flags = 0;
  uint32_t xattrs = 0;           // of TreeModel::xattr_lists
  NodeIndex parent = root_node;  // of a directory
  // Of a file its extents, of a symlink or link away its target in the texts, of a device its
  // numbers, of a directory the first of its names.
  uint32_t first = 0;
  uint32_t count = 0;
};
static_assert(sizeof(TreeNode) == 56);

// A name in a directory. Never removed: an entry without a node is none.
struct TreeName {
  NodeIndex directory = no_node;
  NodeIndex node = no_node;
  uint32_t text = 0;  // in TreeModel::texts: a byte with its length, and the name
  uint32_t next = 0;  // of the directory's names
};

struct TreeModel {
  std::vector<TreeNode> nodes;
  std::vector<TreeExtentRecord> extents;
  std::vector<ObjectId> objects;       // one may be there more than once; not all need be used
  std::vector<XattrList> xattr_lists;  // the first has none

  TreeModel();
  NodeIndex add(const TreeNode& node);
  NodeIndex add_directory(NodeIndex parent, uint32_t mode, uint32_t flags);
  // The number of this list among xattr_lists.
  uint32_t xattrs(const XattrList& list);
  // Where the text stands; EFBIG when there are 4 GiB of them.
  Result<uint32_t> add_text(std::string_view text);
  std::string_view text(uint32_t first, uint32_t count) const;
  std::string_view target(const TreeNode& node) const { return text(node.first, node.count); }

  NodeIndex child(NodeIndex directory, std::string_view name) const;  // no_node when absent
  // Gives `node` the name, whoever had it.
  Result<> set_child(NodeIndex directory, std::string_view name, NodeIndex node);
  void remove_child(NodeIndex directory, std::string_view name);
  void remove_children(NodeIndex directory);
  // Sorted by name, bytewise.
  struct Child {
    std::string_view name;  // until the next text is added
    NodeIndex node = no_node;
  };
  std::vector<Child> children(NodeIndex directory) const;
  size_t names_count() const { return names_.size(); }
  // Forgets all names, when they are written: there may be millions.
  void drop_names();
  // Splits like the kernel does, from the root; symlinks are not followed. no_node when absent.
  NodeIndex find(std::string_view path) const;

 private:
  std::string_view name_of(const TreeName& entry) const;
  uint64_t hash_of(NodeIndex directory, std::string_view name) const;
  std::optional<uint32_t> entry(NodeIndex directory, std::string_view name) const;

  std::vector<TreeName> names_;
  RecordIndex names_index_;
  std::string texts_;
  std::map<XattrList, uint32_t> xattrs_index_;
  uint64_t seed_;  // so that nobody can make names that all hash to one place
};

// The parts of a tar path; "" and "." dropped. EINVAL: ".." or NUL. ENAMETOOLONG, ELOOP: past the
// limits.
Result<std::vector<std::string_view>> split_path(std::string_view path);

Result<std::vector<std::byte>> write_tree(TreeModel model);

}  // namespace lyr::store
