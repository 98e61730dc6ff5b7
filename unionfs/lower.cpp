// SPDX-License-Identifier: Apache-2.0
#include "unionfs/lower.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

namespace lyr::unionfs {
namespace {

class TreeLower : public Lower {
 public:
  TreeLower(const store::Store& store, const store::Tree& tree) : store_(store), tree_(tree) {}

  uint32_t inode_count() const override { return tree_.inode_count(); }
  store::TreeAttr attr(Ino ino) const override { return tree_.attr(ino); }
  Ino parent(Ino directory) const override { return tree_.parent(directory); }
  Ino lookup(Ino directory, std::string_view name) const override {
    return tree_.lookup(directory, name);
  }
  uint32_t entry_count(Ino directory) const override { return tree_.entry_count(directory); }
  store::TreeEntry entry(Ino directory, uint32_t index) const override {
    return tree_.entry(directory, index);
  }
  std::string_view symlink_target(Ino ino) const override { return tree_.symlink_target(ino); }
  uint32_t xattr_count(Ino ino) const override { return tree_.xattr_count(ino); }
  store::TreeXattr xattr(Ino ino, uint32_t index) const override { return tree_.xattr(ino, index); }
  uint32_t alias_count(Ino ino) const override { return tree_.alias_count(ino); }
  store::TreeAlias alias(Ino ino, uint32_t index) const override { return tree_.alias(ino, index); }

  Result<size_t> read(Ino ino, uint64_t offset, std::span<std::byte> data) const override {
    return store_.read_file(tree_, ino, offset, data);
  }

  uint64_t next_data(Ino ino, uint64_t offset) const override {
    uint32_t index = tree_.extent_at(ino, offset);
    if (index == tree_.extent_count(ino)) return tree_.attr(ino).size;
    return std::max(offset, tree_.extent(ino, index).file_offset);
  }

  uint64_t next_hole(Ino ino, uint64_t offset) const override {
    uint32_t count = tree_.extent_count(ino);
    for (uint32_t index = tree_.extent_at(ino, offset); index < count; ++index) {
      store::Extent extent = tree_.extent(ino, index);
      if (extent.file_offset > offset) return offset;
      offset = extent.file_offset + extent.length;
    }
    return offset;
  }

 private:
  const store::Store& store_;
  const store::Tree& tree_;
};

}  // namespace

std::unique_ptr<Lower> lower_from_tree(const store::Store& store, const store::Tree& tree) {
  return std::make_unique<TreeLower>(store, tree);
}

Ino lower_directory_at(const Lower& lower, std::string_view path) {
  Ino at = root_ino;
  while (!path.empty() && at != no_ino) {
    size_t end = std::min(path.find('/'), path.size());
    if (end > 0) at = lower.lookup(at, path.substr(0, end));
    if (at != no_ino && !S_ISDIR(lower.attr(at).mode)) at = no_ino;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

std::string_view lower_name(const Lower& lower, Ino directory) {
  Ino parent = lower.parent(directory);
  for (uint32_t index = 0; index < lower.entry_count(parent); ++index) {
    store::TreeEntry entry = lower.entry(parent, index);
    if (entry.ino == directory) return entry.name;
  }
  return {};
}

std::string lower_path(const Lower& lower, Ino directory) {
  std::vector<std::string_view> names;
  for (Ino at = directory; at != root_ino; at = lower.parent(at)) {
    names.push_back(lower_name(lower, at));
  }
  std::string path = names.empty() ? "/" : "";
  for (size_t left = names.size(); left > 0; --left) path.append("/").append(names[left - 1]);
  return path;
}

}  // namespace lyr::unionfs
