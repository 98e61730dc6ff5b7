// SPDX-License-Identifier: Apache-2.0
// LayerTreeBuilder: one layer's tar entries, in their order, become a tree of our own inodes.
#include <sys/stat.h>

#include <algorithm>

#include "base/check.h"
#include "store/tree_model.h"

namespace lyr::store {

struct LayerTreeBuilder::State {
  TreeModel model;
  size_t entries = 0;
  // Of files that are told with their objects' names:
  std::vector<ObjectId> objects;
  RecordIndex objects_index;

  void set_attributes(TreeNode& node, uint32_t type, const NodeAttr& attr);
  TreeNode make_node(uint32_t type, const NodeAttr& attr);

  // The directory `parts` name, made where it is missing; a symlink of this layer on the way is
  // followed inside the tree.
  Result<NodeIndex> directory(std::span<const std::string_view> parts, int links_followed);
  Result<NodeIndex> enter(NodeIndex at, std::string_view name, int& links_followed);
  Result<NodeIndex> follow(NodeIndex from, const std::string& target, int& links_followed);
  Result<> place(std::string_view path, const TreeNode& node);
  Result<NodeIndex> put_directory(NodeIndex at, std::string_view name);
  Result<> count(std::string_view path);
  uint32_t number_of(const ObjectId& object);
  Result<> place_file(std::string_view path, const NodeAttr& attr, uint64_t size,
                      std::span<const TreeExtentRecord> content);
};

namespace {

XattrList sorted(XattrList xattrs) {
  std::ranges::sort(xattrs);
  return xattrs;
}

}  // namespace

void LayerTreeBuilder::State::set_attributes(TreeNode& node, uint32_t type, const NodeAttr& attr) {
  node.mode = static_cast<uint16_t>(type | (attr.mode & 07777));
  node.mtime_seconds = attr.mtime_seconds;
  node.mtime_nanoseconds = attr.mtime_nanoseconds;
  node.owner =
      model.owner(attr.uid, attr.gid, attr.xattrs.empty() ? XattrList() : sorted(attr.xattrs));
}

TreeNode LayerTreeBuilder::State::make_node(uint32_t type, const NodeAttr& attr) {
  TreeNode node;
  set_attributes(node, type, attr);
  return node;
}

Result<NodeIndex> LayerTreeBuilder::State::put_directory(NodeIndex at, std::string_view name) {
  // Counted from the root: a path through symlinks ends deeper than it is long.
  size_t depth = 1;
  for (NodeIndex above = at; above != root_node; above = model.nodes[above].parent) ++depth;
  if (depth > path_depth_max) return fail(ENAMETOOLONG, "path too deep", std::string(name));
  NodeIndex before = model.child(at, name);
  NodeIndex made = model.add_directory(at, 0755, inode_implicit);
  // Over a whiteout of the same layer: what the lower layers have there stays hidden.
  if (before != no_node && (model.nodes[before].flags & inode_whiteout) != 0) {
    model.nodes[made].flags |= inode_opaque;
  }
  TRY(model.set_child(at, name, made));
  return made;
}

Result<> LayerTreeBuilder::State::count(std::string_view path) {
  if (++entries > layer_entries_max)
    return fail(E2BIG, "layer with too many entries", std::string(path));
  return {};
}

Result<NodeIndex> LayerTreeBuilder::State::follow(NodeIndex from, const std::string& target,
                                                  int& links_followed) {
  if (++links_followed > links_followed_max) return fail(ELOOP, "path", target);
  NodeIndex at = target.starts_with('/') ? root_node : from;
  for (std::string_view rest = target; !rest.empty();) {
    size_t slash = rest.find('/');
    std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at = model.nodes[at].parent;  // the root's is the root: there is no way out
      continue;
    }
    if (part.size() > name_bytes_max) return fail(ENAMETOOLONG, "path", target);
    at = TRY(enter(at, part, links_followed));
  }
  return at;
}

Result<NodeIndex> LayerTreeBuilder::State::enter(NodeIndex at, std::string_view name,
                                                 int& links_followed) {
  NodeIndex next = model.child(at, name);
  if (next != no_node && S_ISDIR(model.nodes[next].mode)) return next;
  if (next != no_node && S_ISLNK(model.nodes[next].mode)) {
    std::string target(model.target(model.nodes[next]));
    return follow(at, target, links_followed);
  }
  if (next != no_node && (model.nodes[next].flags & inode_whiteout) == 0) {
    return fail(ENOTDIR, "path", std::string(name));
  }
  TRY(count(name));
  return put_directory(at, name);
}

Result<NodeIndex> LayerTreeBuilder::State::directory(std::span<const std::string_view> parts,
                                                     int links_followed) {
  NodeIndex at = root_node;
  for (std::string_view part : parts) at = TRY(enter(at, part, links_followed));
  return at;
}

Result<> LayerTreeBuilder::State::place(std::string_view path, const TreeNode& node) {
  auto parts = TRY(split_path(path));
  if (parts.empty()) return fail(EINVAL, "the root can only be a directory", std::string(path));
  TRY(count(path));
  NodeIndex at = TRY(directory(std::span(parts).first(parts.size() - 1), 0));
  return model.set_child(at, parts.back(), model.add(node));
}

uint32_t LayerTreeBuilder::State::number_of(const ObjectId& object) {
  uint64_t hash = ObjectHash{}(object);
  auto found = objects_index.find(hash, [&](uint32_t i) { return objects[i] == object; });
  if (found) return *found;
  auto number = static_cast<uint32_t>(objects.size());
  objects.push_back(object);
  objects_index.insert(hash, number);
  return number;
}

Result<> LayerTreeBuilder::State::place_file(std::string_view path, const NodeAttr& attr,
                                             uint64_t size,
                                             std::span<const TreeExtentRecord> content) {
  TreeNode node = make_node(S_IFREG, attr);
  TRY(model.set_content(node, size, content));
  return place(path, node);
}

LayerTreeBuilder::LayerTreeBuilder() : state_(std::make_unique<State>()) {}
LayerTreeBuilder::LayerTreeBuilder(LayerTreeBuilder&&) noexcept = default;
LayerTreeBuilder& LayerTreeBuilder::operator=(LayerTreeBuilder&&) noexcept = default;
LayerTreeBuilder::~LayerTreeBuilder() = default;

Result<> LayerTreeBuilder::add_directory(std::string_view path, const NodeAttr& attr) {
  auto parts = TRY(split_path(path));
  TRY(state_->count(path));
  TreeModel& model = state_->model;
  NodeIndex node = root_node;
  if (!parts.empty()) {
    NodeIndex at = TRY(state_->directory(std::span(parts).first(parts.size() - 1), 0));
    node = model.child(at, parts.back());
    if (node == no_node || !S_ISDIR(model.nodes[node].mode)) {
      node = TRY(state_->put_directory(at, parts.back()));
    }
  }
  state_->set_attributes(model.nodes[node], S_IFDIR, attr);
  model.nodes[node].flags &= ~inode_implicit;
  return {};
}

Result<> LayerTreeBuilder::add_file(std::string_view path, const NodeAttr& attr, uint64_t size,
                                    std::span<const Extent> content) {
  std::vector<TreeExtentRecord> extents;
  for (const Extent& extent : content) {
    extents.push_back({extent.file_offset, extent.length, state_->number_of(extent.object),
                       static_cast<uint32_t>(extent.object_offset)});
  }
  return state_->place_file(path, attr, size, extents);
}

Result<> LayerTreeBuilder::add_file(std::string_view path, const NodeAttr& attr,
                                    FileContent content) {
  std::vector<TreeExtentRecord> extents;
  for (const LayerExtent& extent : content.extents) {
    extents.push_back({extent.file_offset, extent.length, extent.object,
                       static_cast<uint32_t>(extent.object_offset)});
  }
  return state_->place_file(path, attr, content.size, extents);
}

Result<> LayerTreeBuilder::add_symlink(std::string_view path, const NodeAttr& attr,
                                       std::string_view target) {
  if (target.empty() || target.size() >= path_bytes_max ||
      target.find('\0') != std::string_view::npos) {
    return fail(EINVAL, "symlink target", std::string(path));
  }
  TreeNode node = state_->make_node(S_IFLNK, attr);
  node.first = TRY(state_->model.texts.add(target));
  node.count = static_cast<uint32_t>(target.size());
  return state_->place(path, node);
}

Result<> LayerTreeBuilder::add_special(std::string_view path, const NodeAttr& attr, uint32_t type,
                                       uint32_t major, uint32_t minor) {
  if (type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK) {
    return fail(EINVAL, "file type", std::string(path));
  }
  TreeNode node = state_->make_node(type, attr);
  bool device = type == S_IFCHR || type == S_IFBLK;
  node.first = device ? major : 0;
  node.count = device ? minor : 0;
  return state_->place(path, node);
}

Result<> LayerTreeBuilder::add_hard_link(std::string_view path, std::string_view target) {
  auto parts = TRY(split_path(path));
  auto target_parts = TRY(split_path(target));
  if (parts.empty() || target_parts.empty()) return fail(EINVAL, "hard link", std::string(path));
  TreeModel& model = state_->model;
  NodeIndex found = model.find(target);
  if (found != no_node && S_ISDIR(model.nodes[found].mode)) {
    return fail(EPERM, "hard link to a directory", std::string(path));
  }
  if (found == no_node || (model.nodes[found].flags & inode_whiteout) != 0) {
    TreeNode away;
    away.flags = inode_link_away;
    away.first = TRY(model.texts.add(target));
    away.count = static_cast<uint32_t>(target.size());
    return state_->place(path, away);
  }
  // What is found may itself be a link away: then both names share it.
  TRY(state_->count(path));
  NodeIndex at = TRY(state_->directory(std::span(parts).first(parts.size() - 1), 0));
  return model.set_child(at, parts.back(), found);
}

Result<> LayerTreeBuilder::add_whiteout(std::string_view path) {
  auto parts = TRY(split_path(path));
  if (parts.empty()) return fail(EINVAL, "whiteout of the root", std::string(path));
  TRY(state_->count(path));
  TreeModel& model = state_->model;
  NodeIndex at = TRY(state_->directory(std::span(parts).first(parts.size() - 1), 0));
  NodeIndex present = model.child(at, parts.back());
  if (present != no_node) {
    // The layer has the name too, so that only the lower one goes: a directory must not merge then.
    if (S_ISDIR(model.nodes[present].mode)) model.nodes[present].flags |= inode_opaque;
    return {};
  }
  TreeNode node;
  node.flags = inode_whiteout;
  return model.set_child(at, parts.back(), model.add(node));
}

Result<> LayerTreeBuilder::set_opaque(std::string_view directory) {
  auto parts = TRY(split_path(directory));
  NodeIndex at = TRY(state_->directory(parts, 0));
  state_->model.nodes[at].flags |= inode_opaque;
  return {};
}

Result<Spool> LayerTreeBuilder::finish(Spool to) {
  auto state = std::exchange(state_, std::make_unique<State>());
  auto id = [&](uint32_t number) -> Result<ObjectId> { return state->objects[number]; };
  TreeObjects objects{.count = state->objects.size(), .id = id};
  return write_tree(std::move(state->model), objects, std::move(to));
}

Result<Spool> LayerTreeBuilder::finish(const Table<uint32_t>& numbers, const TreeObjects& objects,
                                       Spool to) {
  CHECK(state_->objects.empty());
  auto state = std::exchange(state_, std::make_unique<State>());
  state->model.renumber_objects(numbers);
  return write_tree(std::move(state->model), objects, std::move(to));
}

}  // namespace lyr::store
