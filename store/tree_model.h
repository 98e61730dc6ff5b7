// SPDX-License-Identifier: Apache-2.0
// A directory tree in memory, while it is built: what LayerTreeBuilder and merge_trees work on and
// write_tree turns into a tree image. Nodes are never removed, only unnamed; what has no name is
// not written.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/tree.h"
#include "store/tree_builder.h"
#include "store/tree_format.h"

namespace lyr::store {

using NodeIndex = uint32_t;
constexpr NodeIndex root_node = 0;
constexpr NodeIndex no_node = UINT32_MAX;

struct TreeNode {
  NodeAttr attr;
  uint32_t type = 0;  // S_IFMT bits; 0 for a whiteout and a link away
  uint32_t flags = 0;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t size = 0;
  std::string target;                // of a symlink, or the path of a link away
  std::vector<LayerExtent> extents;  // of TreeModel::objects
  std::map<std::string, NodeIndex, std::less<>> children;
  NodeIndex parent = root_node;  // directories
};

struct TreeModel {
  std::vector<TreeNode> nodes;
  std::vector<ObjectId> objects;  // one may be there more than once; not all need be used

  TreeModel();
  NodeIndex add(TreeNode node);
  NodeIndex child(NodeIndex directory, std::string_view name) const;  // no_node when absent
  // Splits like the kernel does, from the root; symlinks are not followed. no_node when absent.
  NodeIndex find(std::string_view path) const;
};

// The parts of a tar path; "" and "." dropped. EINVAL: ".." or NUL. ENAMETOOLONG, ELOOP: past the
// limits.
Result<std::vector<std::string_view>> split_path(std::string_view path);

Result<std::vector<std::byte>> write_tree(const TreeModel& model);

}  // namespace lyr::store
