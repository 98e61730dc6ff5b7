// SPDX-License-Identifier: Apache-2.0
// The lower side that is an image's tree: a mapped table, and the store's content.
#include <sys/sysmacros.h>

#include <algorithm>

#include "unionfs/lower.h"

namespace lyr::unionfs {
namespace {

constexpr uint64_t upper_number_base = uint64_t{1} << 40;  // above every number of a tree

struct stat status_of(const store::TreeAttr& attr) {
  struct stat status{};
  status.st_mode = attr.mode;
  if (S_ISLNK(attr.mode)) status.st_mode |= 0777;  // Linux knows no others, whatever a tar says
  status.st_uid = attr.uid;
  status.st_gid = attr.gid;
  status.st_nlink = attr.nlink;
  status.st_rdev = makedev(attr.device_major, attr.device_minor);
  status.st_size = static_cast<off_t>(attr.size);
  status.st_blksize = 4096;
  status.st_blocks = static_cast<blkcnt_t>((attr.size + 511) / 512);
  status.st_mtim = {static_cast<time_t>(attr.mtime_seconds), attr.mtime_nanoseconds};
  status.st_atim = status.st_ctim = status.st_mtim;
  return status;
}

class TreeLower : public Lower {
 public:
  TreeLower(const store::Store& store, const store::Tree& tree) : store_(store), tree_(tree) {}

  Result<> load(Ino) override { return {}; }
  uint32_t entry_count(Ino directory) const override { return tree_.entry_count(directory); }
  std::string_view entry_name(Ino directory, uint32_t index) const override {
    return tree_.entry(directory, index).name;
  }
  uint32_t find(Ino directory, std::string_view name) const override {
    return tree_.find(directory, name);
  }
  Result<Ino> entry_ino(Ino directory, uint32_t index) override {
    return tree_.entry(directory, index).ino;
  }
  size_t entries_expected(Ino directory) const override { return tree_.entry_count(directory); }
  Ino parent(Ino directory) const override { return tree_.parent(directory); }
  std::string_view name(Ino directory) const override {
    Ino parent = tree_.parent(directory);
    for (uint32_t index = 0; index < tree_.entry_count(parent); ++index) {
      store::TreeEntry entry = tree_.entry(parent, index);
      if (entry.ino == directory) return entry.name;
    }
    return {};
  }

  uint32_t type(Ino ino) const override { return tree_.attr(ino).mode & S_IFMT; }
  uint64_t number(Ino ino) const override { return ino; }
  uint32_t links(Ino ino) const override { return tree_.attr(ino).nlink; }
  struct stat status(Ino ino) const override {
    struct stat status = status_of(tree_.attr(ino));
    status.st_ino = ino;
    return status;
  }
  Result<std::string> symlink_target(Ino ino) override {
    return std::string(tree_.symlink_target(ino));
  }
  Result<std::vector<std::string>> xattr_names(Ino ino) override {
    std::vector<std::string> names;
    for (uint32_t i = 0; i < tree_.xattr_count(ino); ++i)
      names.emplace_back(tree_.xattr(ino, i).name);
    return names;
  }
  Result<std::optional<std::string>> xattr(Ino ino, const std::string& name) override {
    for (uint32_t i = 0; i < tree_.xattr_count(ino); ++i) {
      store::TreeXattr xattr = tree_.xattr(ino, i);
      if (xattr.name == name) return std::string(xattr.value);
    }
    return std::nullopt;
  }
  Result<uint32_t> flags(Ino) override { return 0U; }
  Result<uint32_t> protection(Ino) override { return 0U; }
  Result<std::vector<store::TreeAlias>> aliases(Ino ino) override {
    std::vector<store::TreeAlias> aliases;
    for (uint32_t i = 0; i < tree_.alias_count(ino); ++i) aliases.push_back(tree_.alias(ino, i));
    return aliases;
  }
  bool knows_aliases(Ino) const override { return true; }

  uint64_t upper_number(dev_t, ino_t upper_ino) const override {
    return upper_number_base + upper_ino;
  }
  bool may_be(uint64_t number, uint32_t type) const override {
    return number != no_ino && number <= tree_.inode_count() &&
           this->type(static_cast<Ino>(number)) == type;
  }
  Result<struct statvfs> statfs() const override {
    struct statvfs status{};
    status.f_bsize = status.f_frsize = 4096;
    status.f_namemax = 255;
    status.f_files = tree_.inode_count();
    return status;
  }

  Result<SharedFd> file(Ino) override { return nullptr; }
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
  bool clone_into(Ino ino, const Fd& to) const override {
    return store_.clone_file(tree_, ino, to);
  }
  void keep_copy(Ino ino, const Fd& copy) const override { store_.keep_file(tree_, ino, copy); }

 private:
  const store::Store& store_;
  const store::Tree& tree_;
};

}  // namespace

std::unique_ptr<Lower> lower_from_tree(const store::Store& store, const store::Tree& tree) {
  return std::make_unique<TreeLower>(store, tree);
}

}  // namespace lyr::unionfs
