// SPDX-License-Identifier: Apache-2.0
#include "store/tree.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "store/tree_image.h"

namespace lyr::store {

uint32_t tree_name_hash(std::string_view name) {
  return static_cast<uint32_t>(XXH3_64bits(name.data(), name.size()));
}

ObjectId object_id(const TreeObjectRecord& record) {
  ObjectId id{.sha256 = {}, .xxh3_low = record.xxh3_low, .xxh3_high = record.xxh3_high};
  std::memcpy(id.sha256.bytes.data(), record.sha256, sizeof record.sha256);
  return id;
}

Tree::Tree(std::unique_ptr<Image> image) : image_(std::move(image)) {}
Tree::Tree(Tree&&) noexcept = default;
Tree& Tree::operator=(Tree&&) noexcept = default;
Tree::~Tree() = default;

Result<Tree> Tree::open(Fd file, TreeCheck check) {
  auto status = TRY(sys::stat(file));
  auto size = static_cast<size_t>(status.st_size);
  if (size < sizeof(TreeHeader)) return fail(EUCLEAN, "tree", "too short");
  auto image = std::make_unique<Image>();
  image->mapping = TRY(sys::Mapping::read_only(file, size));
  // Who has everything checked makes images, and is done with it; who opens one to use it wants it
  // in memory.
  std::function<void()> between;
  if (check == TreeCheck::everything) between = [&] { image->mapping.release(); };
  const char* reason = check_tree_tables(image->mapping.bytes(), *image, between);
  if (reason == nullptr && check == TreeCheck::everything) reason = check_tree_records(*image);
  if (reason != nullptr) return fail(EUCLEAN, "tree", reason);
  return Tree(std::move(image));
}

uint32_t Tree::inode_count() const { return static_cast<uint32_t>(image_->inodes.size()); }

TreeAttr Tree::attr(Ino ino) const {
  CHECK(ino != no_ino && ino <= image_->inodes.size());
  const TreeInodeRecord& inode = image_->inodes[ino - 1];
  TreeAttr attr;
  attr.mode = inode.mode;
  attr.uid = inode.uid;
  attr.gid = inode.gid;
  attr.nlink = inode.nlink;
  attr.device_major = inode.device_major;
  attr.device_minor = inode.device_minor;
  attr.size = inode.size;
  attr.mtime_seconds = inode.mtime_seconds;
  attr.mtime_nanoseconds = inode.mtime_nanoseconds;
  attr.whiteout = (inode.flags & inode_whiteout) != 0;
  attr.opaque = (inode.flags & inode_opaque) != 0;
  return attr;
}

Ino Tree::parent(Ino directory) const {
  CHECK(directory != no_ino && directory <= image_->inodes.size());
  return image_->inodes[directory - 1].parent;
}

uint32_t Tree::Image::find(Ino directory, std::string_view name) const {
  const TreeInodeRecord& inode = inodes[directory - 1];
  if (!S_ISDIR(inode.mode) || inode.count == 0) return no_entry;
  uint32_t hash = tree_name_hash(name);
  uint32_t mask = (1u << inode.slots_log2) - 1;
  for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
    uint32_t slot = slots[inode.slots_first + at];
    if (slot == 0) return no_entry;
    const TreeEntryRecord& entry = entries[inode.first + slot - 1];
    if (entry.hash == hash && text(entry.name, entry.name_bytes) == name) return slot - 1;
  }
}

Ino Tree::Image::lookup(Ino directory, std::string_view name) const {
  uint32_t index = find(directory, name);
  return index == no_entry ? no_ino : entries[inodes[directory - 1].first + index].ino;
}

uint32_t Tree::find(Ino directory, std::string_view name) const {
  CHECK(directory != no_ino && directory <= image_->inodes.size());
  return image_->find(directory, name);
}

Ino Tree::lookup(Ino directory, std::string_view name) const {
  CHECK(directory != no_ino && directory <= image_->inodes.size());
  return image_->lookup(directory, name);
}

uint32_t Tree::entry_count(Ino directory) const {
  CHECK(directory != no_ino && directory <= image_->inodes.size());
  const TreeInodeRecord& inode = image_->inodes[directory - 1];
  return S_ISDIR(inode.mode) ? inode.count : 0;
}

TreeEntry Tree::entry(Ino directory, uint32_t index) const {
  CHECK(index < entry_count(directory));
  const TreeEntryRecord& entry = image_->entries[image_->inodes[directory - 1].first + index];
  return {image_->text(entry.name, entry.name_bytes), entry.ino};
}

std::string_view Tree::symlink_target(Ino ino) const {
  CHECK(ino != no_ino && ino <= image_->inodes.size());
  const TreeInodeRecord& inode = image_->inodes[ino - 1];
  if (!S_ISLNK(inode.mode)) return {};
  return image_->text(inode.first, inode.count);
}

uint32_t Tree::xattr_count(Ino ino) const {
  CHECK(ino != no_ino && ino <= image_->inodes.size());
  return image_->inodes[ino - 1].xattr_count;
}

TreeXattr Tree::xattr(Ino ino, uint32_t index) const {
  CHECK(index < xattr_count(ino));
  const TreeXattrRecord& xattr = image_->xattrs[image_->inodes[ino - 1].xattr_first + index];
  return {image_->text(xattr.name, xattr.name_bytes), image_->text(xattr.value, xattr.value_bytes)};
}

uint32_t Tree::extent_count(Ino ino) const {
  CHECK(ino != no_ino && ino <= image_->inodes.size());
  const TreeInodeRecord& inode = image_->inodes[ino - 1];
  return S_ISREG(inode.mode) ? inode.count : 0;
}

Extent Tree::extent(Ino ino, uint32_t index) const {
  CHECK(index < extent_count(ino));
  const TreeExtentRecord& record = image_->extents[image_->inodes[ino - 1].first + index];
  const TreeObjectRecord& object = image_->objects[record.object];
  Extent extent;
  extent.file_offset = record.file_offset;
  extent.length = record.length;
  extent.object_offset = record.object_offset;
  extent.object = object_id(object);
  return extent;
}

uint32_t Tree::extent_at(Ino ino, uint64_t file_offset) const {
  auto extents = image_->extents.subspan(image_->inodes[ino - 1].first, extent_count(ino));
  auto ends_before = [](const TreeExtentRecord& extent, uint64_t offset) {
    return extent.file_offset + extent.length <= offset;
  };
  auto found = std::lower_bound(extents.begin(), extents.end(), file_offset, ends_before);
  return static_cast<uint32_t>(found - extents.begin());
}

uint32_t Tree::alias_count(Ino ino) const {
  CHECK(ino != no_ino && ino <= image_->inodes.size());
  return image_->inodes[ino - 1].alias_count;
}

TreeAlias Tree::alias(Ino ino, uint32_t index) const {
  CHECK(index < alias_count(ino));
  const TreeAliasRecord& alias = image_->aliases[image_->inodes[ino - 1].alias_first + index];
  return {alias.directory, image_->text(alias.name, alias.name_bytes)};
}

bool Tree::has_xattrs() const { return !image_->xattrs.empty(); }

bool Tree::has_xattr(std::string_view name) const {
  return std::ranges::any_of(image_->xattrs, [&](const TreeXattrRecord& xattr) {
    return image_->text(xattr.name, xattr.name_bytes) == name;
  });
}

uint64_t Tree::content_bytes() const { return image_->header->content_bytes; }

}  // namespace lyr::store
