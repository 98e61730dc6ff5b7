// SPDX-License-Identifier: Apache-2.0
#include "store/tree_model.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>

#include "base/check.h"
#include "base/sys_random.h"

namespace lyr::store {

TreeModel::TreeModel() : TreeModel(sys::random_u64().value_or(0)) {}

TreeModel::TreeModel(uint64_t seed) : xattr_lists(1), texts(seed), seed_(seed) {
  owner(0, 0, {});
  add_directory(root_node, 0755, inode_implicit);
}

NodeIndex TreeModel::add(const TreeNode& node) {
  nodes.push_back(node);
  return static_cast<NodeIndex>(nodes.size() - 1);
}

NodeIndex TreeModel::add_directory(NodeIndex parent, uint32_t mode, uint32_t flags) {
  TreeNode node;
  node.mode = static_cast<uint16_t>(S_IFDIR | (mode & 07777));
  node.flags = static_cast<uint8_t>(flags);
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

uint32_t TreeModel::owner(uint32_t uid, uint32_t gid, const XattrList& list) {
  TreeOwner wanted{.uid = uid, .gid = gid, .xattrs = xattrs(list)};
  uint64_t hash = XXH3_64bits_withSeed(&wanted, sizeof wanted, seed_);
  auto found = owners_index_.find(hash, [&](uint32_t i) { return owners[i] == wanted; });
  if (found) return *found;
  owners.push_back(wanted);
  owners_index_.insert(hash, static_cast<uint32_t>(owners.size() - 1));
  return static_cast<uint32_t>(owners.size() - 1);
}

Result<> TreeModel::set_content(TreeNode& node, uint64_t size,
                                std::span<const TreeExtentRecord> content) {
  node.size = size;
  const TreeExtentRecord* only = content.size() == 1 ? content.data() : nullptr;
  if (only != nullptr && only->file_offset == 0 && only->length == size &&
      only->object_offset == 0) {
    node.first = only->object;
    node.count = whole_object;
    return {};
  }
  if (content.size() >= UINT32_MAX - extents.size()) return fail(EFBIG, "tree");
  node.first = static_cast<uint32_t>(extents.size());
  node.count = static_cast<uint32_t>(content.size());
  for (const TreeExtentRecord& extent : content) extents.push_back(extent);
  return {};
}

void TreeModel::renumber_objects(const Table<uint32_t>& numbers) {
  for (size_t i = 0; i < extents.size(); ++i) extents[i].object = numbers[extents[i].object];
  for (size_t i = 0; i < nodes.size(); ++i) {
    TreeNode& node = nodes[i];
    bool whole = S_ISREG(node.mode) && node.count == whole_object;
    if (whole) node.first = numbers[node.first];
  }
}

uint64_t TreeModel::hash_of(NodeIndex directory, uint32_t text) const {
  const uint32_t key[] = {directory, text};
  return XXH3_64bits_withSeed(key, sizeof key, seed_);
}

std::optional<uint32_t> TreeModel::entry(NodeIndex directory, std::string_view name) const {
  auto text = texts.find(name);
  if (!text) return std::nullopt;
  return names_index_.find(hash_of(directory, *text), [&](uint32_t number) {
    return names_[number].directory == directory && names_[number].text == *text;
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
  uint32_t text = TRY(texts.add(name));
  names_.push_back(
      {.directory = directory, .node = node, .text = text, .next = nodes[directory].first});
  nodes[directory].first = number;
  names_index_.insert(hash_of(directory, text), number);
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

void TreeModel::sort_names(NodeIndex directory) {
  std::vector<uint32_t> present;
  for (uint32_t at = nodes[directory].first; at != no_name; at = names_[at].next) {
    if (names_[at].node != no_node) present.push_back(at);
  }
  // What came last is first in the list, and tars are sorted more often than not.
  std::ranges::reverse(present);
  auto text = [this](uint32_t name) { return texts.at(names_[name].text); };
  if (!std::ranges::is_sorted(present, {}, text)) std::ranges::sort(present, {}, text);
  nodes[directory].first = present.empty() ? no_name : present.front();
  nodes[directory].count = static_cast<uint32_t>(present.size());
  for (size_t i = 0; i < present.size(); ++i) {
    names_[present[i]].next = i + 1 < present.size() ? present[i + 1] : no_name;
  }
}

void TreeModel::drop_indexes() {
  names_index_ = RecordIndex();
  owners_index_ = RecordIndex();
  texts.drop_index();
}

size_t TreeModel::memory_bytes() const {
  return nodes.memory_bytes() + extents.memory_bytes() + names_.memory_bytes() +
         names_index_.memory_bytes() + texts.memory_bytes();
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
