// SPDX-License-Identifier: Apache-2.0
#include "store/tree_model.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>

#include "base/check.h"
#include "base/sys_random.h"

namespace lyr::store {
namespace {

constexpr uint32_t no_name = UINT32_MAX;

}  // namespace

TreeModel::TreeModel() : xattr_lists(1), seed_(sys::random_u64().value_or(0)) {
  add_directory(root_node, 0755, inode_implicit);
}

NodeIndex TreeModel::add(const TreeNode& node) {
  nodes.push_back(node);
  return static_cast<NodeIndex>(nodes.size() - 1);
}

NodeIndex TreeModel::add_directory(NodeIndex parent, uint32_t mode, uint32_t flags) {
  TreeNode node;
  node.mode = S_IFDIR | (mode & 07777);
  node.flags = flags;
  node.parent = parent;
  node.first = no_name;
  return add(node);
}

uint32_t TreeModel::xattrs(const XattrList& list) {
  if (list.empty()) return 0;
  auto [found, fresh] = xattrs_index_.try_emplace(list, static_cast<uint32_t>(xattr_lists.size()));
  if (fresh) xattr_lists.push_back(list);
  return found->second;
}

Result<uint32_t> TreeModel::add_text(std::string_view text) {
  if (texts_.size() + text.size() > UINT32_MAX) return fail(EFBIG, "tree");
  auto first = static_cast<uint32_t>(texts_.size());
  texts_.append(text);
  return first;
}

std::string_view TreeModel::text(uint32_t first, uint32_t count) const {
  return std::string_view(texts_).substr(first, count);
}

std::string_view TreeModel::name_of(const TreeName& entry) const {
  return text(entry.text + 1, static_cast<uint8_t>(texts_[entry.text]));
}

uint64_t TreeModel::hash_of(NodeIndex directory, std::string_view name) const {
  return XXH3_64bits_withSeed(name.data(), name.size(), seed_ + directory);
}

std::optional<uint32_t> TreeModel::entry(NodeIndex directory, std::string_view name) const {
  return names_index_.find(hash_of(directory, name), [&](uint32_t number) {
    return names_[number].directory == directory && name_of(names_[number]) == name;
  });
}

NodeIndex TreeModel::child(NodeIndex directory, std::string_view name) const {
  auto found = entry(directory, name);
  return found ? names_[*found].node : no_node;
}

Result<> TreeModel::set_child(NodeIndex directory, std::string_view name, NodeIndex node) {
  if (auto found = entry(directory, name)) {
    names_[*found].node = node;
    return {};
  }
  CHECK(!name.empty() && name.size() <= name_bytes_max);
  auto number = static_cast<uint32_t>(names_.size());
  if (number == no_name) return fail(EFBIG, "tree");
  const char length[] = {static_cast<char>(name.size())};
  uint32_t text = TRY(add_text(std::string_view(length, 1)));
  TRY(add_text(name));
  names_.push_back(
      {.directory = directory, .node = node, .text = text, .next = nodes[directory].first});
  nodes[directory].first = number;
  names_index_.insert(hash_of(directory, name), number);
  return {};
}

void TreeModel::remove_child(NodeIndex directory, std::string_view name) {
  if (auto found = entry(directory, name)) names_[*found].node = no_node;
}

void TreeModel::remove_children(NodeIndex directory) {
  for (uint32_t at = nodes[directory].first; at != no_name; at = names_[at].next) {
    names_[at].node = no_node;
  }
}

std::vector<TreeModel::Child> TreeModel::children(NodeIndex directory) const {
  std::vector<Child> children;
  for (uint32_t at = nodes[directory].first; at != no_name; at = names_[at].next) {
    if (names_[at].node != no_node) children.push_back({name_of(names_[at]), names_[at].node});
  }
  std::ranges::sort(children, {}, &Child::name);
  return children;
}

void TreeModel::drop_names() {
  std::vector<TreeName>().swap(names_);
  names_index_ = RecordIndex();
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
