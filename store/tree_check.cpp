// SPDX-License-Identifier: Apache-2.0
// Decides whether a file is a tree image; after that accessors trust it. Every record is looked at
// before an import is committed; later opens see by the checksum that these are the same bytes.
#include <sys/stat.h>

#include <cstring>
#include <vector>

#include "store/sum.h"
#include "store/tree_builder.h"
#include "store/tree_image.h"

namespace lyr::store {
namespace {

using Image = Tree::Image;

// Notes what was looked at of a mapped file, and lets go of it in between.
class Look {
 public:
  explicit Look(const Image& image) : image_(image) {}
  void at_record() {
    if (++records_ % released_after == 0) image_.mapping.release();
  }

 private:
  static constexpr size_t released_after = 16384;
  const Image& image_;
  size_t records_ = 0;
};

template <class Record>
bool take_section(const Image& image, const TreeSection& section, std::span<const Record>& table) {
  if (section.count > tree_records_max || section.offset % alignof(Record) != 0) return false;
  uint64_t size = image.bytes.size();
  if (section.offset > size || section.count > (size - section.offset) / sizeof(Record))
    return false;
  table = {reinterpret_cast<const Record*>(image.bytes.data() + section.offset),
           static_cast<size_t>(section.count)};
  return true;
}

bool text_fits(const Image& image, uint64_t offset, uint64_t size) {
  return offset + size <= image.header->strings.count;
}

bool range_fits(uint64_t first, uint64_t count, uint64_t total) { return first + count <= total; }

bool name_is_valid(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

const char* check_extents(const Image& image, const TreeInodeRecord& inode, Look& look) {
  if (!range_fits(inode.first, inode.count, image.extents.size())) return "extents out of range";
  uint64_t end = 0;
  for (uint32_t i = 0; i < inode.count; ++i) {
    const TreeExtentRecord& extent = image.extents[inode.first + i];
    look.at_record();
    if (extent.length == 0 || extent.file_offset < end) return "extents out of order";
    if (extent.length > object_bytes_max || extent.object >= image.objects.size() ||
        extent.object_offset > object_bytes_max - extent.length) {
      return "an extent past its object";
    }
    end = extent.file_offset + extent.length;
    if (end < extent.file_offset || end > inode.size) return "an extent past its file";
  }
  return nullptr;
}

const char* check_slots(const Image& image, const TreeInodeRecord& inode, Look& look) {
  const uint32_t mask = (uint32_t{1} << inode.slots_log2) - 1;
  uint32_t used = 0;
  for (uint64_t i = 0; i <= mask; ++i) {
    uint32_t slot = image.slots[inode.slots_first + i];
    if (slot > inode.count) return "a hash slot out of range";
    if (slot != 0) ++used;
  }
  if (used != inode.count) return "a hash table with too few or too many names";
  for (uint32_t i = 0; i < inode.count; ++i) {
    look.at_record();
    uint32_t at = image.entries[inode.first + i].hash & mask;
    while (image.slots[inode.slots_first + at] != i + 1) {
      if (image.slots[inode.slots_first + at] == 0) return "a name that its hash does not find";
      at = (at + 1) & mask;
    }
  }
  return nullptr;
}

// `depths`: how far below the root each directory is an entry of another; 0: it is none yet.
const char* check_directory(const Image& image, uint32_t index, std::vector<uint16_t>& depths,
                            Look& look) {
  const TreeInodeRecord& inode = image.inodes[index];
  if (!range_fits(inode.first, inode.count, image.entries.size())) return "entries out of range";
  if (index == 0 ? inode.parent != root_ino : inode.parent == 0 || inode.parent > index) {
    return "a parent after its child";
  }
  std::string_view previous;
  for (uint32_t i = 0; i < inode.count; ++i) {
    const TreeEntryRecord& entry = image.entries[inode.first + i];
    look.at_record();
    if (!text_fits(image, entry.name, entry.name_bytes)) return "a name out of range";
    std::string_view name = image.text(entry.name, entry.name_bytes);
    if (!name_is_valid(name)) return "a name that is none";
    if (i > 0 && name <= previous) return "names out of order";
    if (entry.hash != tree_name_hash(name)) return "a wrong name hash";
    if (entry.ino == 0 || entry.ino > image.inodes.size()) return "an entry without inode";
    if (S_ISDIR(image.inodes[entry.ino - 1].mode)) {
      if (image.inodes[entry.ino - 1].parent != index + 1 || entry.ino == root_ino) {
        return "a directory in two places";
      }
      if (depths[entry.ino - 1] != 0) return "a directory with two names";
      if (depths[index] == path_depth_max) return "a directory too deep";
      depths[entry.ino - 1] = depths[index] + 1;
    }
    previous = name;
  }
  if (inode.count == 0) return nullptr;
  if (inode.slots_log2 > 27 || (uint64_t{1} << inode.slots_log2) <= inode.count ||
      !range_fits(inode.slots_first, uint64_t{1} << inode.slots_log2, image.slots.size())) {
    return "a hash table out of range";
  }
  return check_slots(image, inode, look);
}

// What directories list is what they find: the names of files that have several, too.
const char* check_aliases(const Image& image, uint32_t index) {
  const TreeInodeRecord& inode = image.inodes[index];
  for (uint32_t i = 0; i < inode.alias_count; ++i) {
    const TreeAliasRecord& alias = image.aliases[inode.alias_first + i];
    std::string_view name = image.text(alias.name, alias.name_bytes);
    if (image.lookup(alias.directory, name) != index + 1) return "an alias that leads elsewhere";
  }
  return nullptr;
}

const char* check_inode(const Image& image, uint32_t index, std::vector<uint16_t>& depths,
                        Look& look) {
  const TreeInodeRecord& inode = image.inodes[index];
  if (inode.mtime_nanoseconds >= 1000000000) return "a time out of range";
  if (inode.size > uint64_t{INT64_MAX}) return "a size out of range";
  if (!range_fits(inode.xattr_first, inode.xattr_count, image.xattrs.size())) {
    return "xattrs out of range";
  }
  if (!range_fits(inode.alias_first, inode.alias_count, image.aliases.size())) {
    return "aliases out of range";
  }
  constexpr uint32_t known = inode_whiteout | inode_opaque | inode_implicit | inode_link_away;
  if ((inode.flags & ~known) != 0) return "an inode of unknown kind";
  if ((inode.flags & (inode_whiteout | inode_link_away)) != 0) {
    if ((inode.mode & S_IFMT) != 0) return "a mark that is a file";
    return text_fits(image, inode.first, inode.count) ? nullptr : "a target out of range";
  }
  switch (inode.mode & S_IFMT) {
    case S_IFDIR:
      return check_directory(image, index, depths, look);
    case S_IFREG:
      return check_extents(image, inode, look);
    case S_IFLNK:
      return text_fits(image, inode.first, inode.count) && inode.count == inode.size &&
                     inode.count > 0
                 ? nullptr
                 : "a target out of range";
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
      return nullptr;
    default:
      return "an inode of no type";
  }
}

const char* check_tables(const Image& image) {
  for (const TreeXattrRecord& xattr : image.xattrs) {
    if (!text_fits(image, xattr.name, xattr.name_bytes) || xattr.name_bytes == 0 ||
        xattr.name_bytes > 255 || !text_fits(image, xattr.value, xattr.value_bytes)) {
      return "an xattr out of range";
    }
    if (std::memchr(image.strings + xattr.name, 0, xattr.name_bytes) != nullptr) {
      return "an xattr name with NUL";
    }
  }
  for (const TreeAliasRecord& alias : image.aliases) {
    if (alias.directory == 0 || alias.directory > image.inodes.size() ||
        !S_ISDIR(image.inodes[alias.directory - 1].mode) ||
        !text_fits(image, alias.name, alias.name_bytes) ||
        !name_is_valid(image.text(alias.name, alias.name_bytes))) {
      return "an alias out of range";
    }
  }
  return nullptr;
}

}  // namespace

const char* check_tree_tables(std::span<const std::byte> bytes, Tree::Image& image,
                              const std::function<void()>& between) {
  image.bytes = bytes;
  if (bytes.size() < sizeof(TreeHeader)) return "too short";
  image.header = reinterpret_cast<const TreeHeader*>(bytes.data());
  const TreeHeader& header = *image.header;
  if (header.magic != tree_magic) return "not a tree image";
  if (header.version != tree_version || header.reserved != 0) return "of another version";
  if (header.file_bytes != bytes.size()) return "cut short";
  auto summed = bytes.subspan(tree_checksum_from);
  if (xxh3_in_steps(summed, 0, between) != header.checksum) return "damaged";
  if (!take_section(image, header.inodes, image.inodes) ||
      !take_section(image, header.entries, image.entries) ||
      !take_section(image, header.slots, image.slots) ||
      !take_section(image, header.xattrs, image.xattrs) ||
      !take_section(image, header.extents, image.extents) ||
      !take_section(image, header.objects, image.objects) ||
      !take_section(image, header.aliases, image.aliases)) {
    return "a table out of range";
  }
  if (header.strings.offset > bytes.size() ||
      header.strings.count > bytes.size() - header.strings.offset) {
    return "strings out of range";
  }
  image.strings = reinterpret_cast<const char*>(bytes.data() + header.strings.offset);
  if (image.inodes.empty() || !S_ISDIR(image.inodes[0].mode)) return "without a root directory";
  return nullptr;
}

const char* check_tree_records(const Tree::Image& image) {
  if (const char* reason = check_tables(image)) return reason;
  std::vector<uint16_t> depths(image.inodes.size());
  Look look(image);
  // Aliases only then: a lookup relies on a directory that was checked.
  for (auto aliases : {false, true}) {
    for (uint32_t i = 0; i < image.inodes.size(); ++i) {
      const char* reason = aliases ? check_aliases(image, i) : check_inode(image, i, depths, look);
      if (reason != nullptr) return reason;
      look.at_record();
    }
    if (image.aliases.empty()) break;
  }
  image.mapping.release();
  return nullptr;
}

}  // namespace lyr::store
