// SPDX-License-Identifier: Apache-2.0
#include "store/tree_model.h"

#include <sys/stat.h>

namespace lyr::store {

TreeModel::TreeModel() {
  TreeNode root;
  root.type = S_IFDIR;
  root.attr.mode = 0755;
  root.flags = inode_implicit;
  nodes.push_back(std::move(root));
}

NodeIndex TreeModel::add(TreeNode node) {
  nodes.push_back(std::move(node));
  return static_cast<NodeIndex>(nodes.size() - 1);
}

NodeIndex TreeModel::child(NodeIndex directory, std::string_view name) const {
  const auto& children = nodes[directory].children;
  auto found = children.find(name);
  return found == children.end() ? no_node : found->second;
}

NodeIndex TreeModel::find(std::string_view path) const {
  auto parts = split_path(path);
  if (!parts) return no_node;
  NodeIndex node = root_node;
  for (std::string_view part : *parts) {
    node = child(node, part);
    if (node == no_node) return no_node;
  }
  return node;
}

Result<std::vector<std::string_view>> split_path(std::string_view path) {
  std::string shown(path.substr(0, 200));
  if (path.size() > path_bytes_max) return fail(ENAMETOOLONG, "path", shown);
  if (path.find('\0') != std::string_view::npos) return fail(EINVAL, "path with NUL", shown);
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    size_t slash = path.find('/');
    std::string_view part = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(EINVAL, "path with ..", shown);
    if (part.size() > name_bytes_max) return fail(ENAMETOOLONG, "path", shown);
    if (parts.size() == path_depth_max) return fail(ENAMETOOLONG, "path too deep", shown);
    parts.push_back(part);
  }
  return parts;
}

}  // namespace lyr::store
