// SPDX-License-Identifier: Apache-2.0
// Lays a TreeModel out as a tree image. Inodes are numbered breadth first, so a parent always comes
// before its child; entries are sorted by name; equal xattr lists, strings and objects are stored
// once.
#include <sys/stat.h>
#include <xxhash.h>

#include <cstring>

#include "base/check.h"
#include "store/tree_model.h"

namespace lyr::store {
namespace {

uint64_t hash_of(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// Strings one after another, each kept once.
class Strings {
 public:
  uint32_t add(std::string_view text) {
    uint64_t hash = hash_of(text);
    auto found = index_.find(hash, [&](uint32_t i) {
      return std::string_view(bytes_.data() + texts_[i].first, texts_[i].count) == text;
    });
    if (found) return texts_[*found].first;
    index_.insert(hash, static_cast<uint32_t>(texts_.size()));
    auto first = static_cast<uint32_t>(bytes_.size());  // whether it fits: see bytes()
    texts_.push_back({first, static_cast<uint32_t>(text.size())});
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return first;
  }
  std::vector<char>& bytes() { return bytes_; }

 private:
  struct Text {
    uint32_t first;
    uint32_t count;
  };
  std::vector<char> bytes_;
  std::vector<Text> texts_;
  RecordIndex index_;
};

class Layout {
 public:
  explicit Layout(TreeModel model)
      : model_(std::move(model)),
        inos_(model_.nodes.size(), no_ino),
        object_records_(model_.objects.size(), no_record),
        xattr_firsts_(model_.xattr_lists.size(), no_record) {}

  Result<std::vector<std::byte>> run() {
    // At most, so that no table is copied as it grows.
    order_.reserve(model_.nodes.size());
    inodes_.reserve(model_.nodes.size());
    entries_.reserve(model_.names_count());
    add_inode(root_node, root_ino);
    for (size_t i = 0; i < order_.size(); ++i) {
      if (S_ISDIR(inodes_[i].mode)) write_names(i);
    }
    model_.drop_names();
    for (size_t i = 0; i < order_.size(); ++i) write_inode(i);
    write_aliases();
    if (strings_.bytes().size() > UINT32_MAX || extents_.size() > tree_records_max ||
        xattrs_.size() > tree_records_max || slots_.size() > tree_records_max) {
      return fail(EFBIG, "tree");
    }
    model_ = {};
    return assemble();
  }

 private:
  Ino add_inode(NodeIndex node, Ino parent) {
    order_.push_back(node);
    TreeInodeRecord inode{};
    inode.mode = model_.nodes[node].mode;
    bool directory = S_ISDIR(inode.mode);
    inode.nlink = directory ? 2 : 0;
    inode.parent = directory ? parent : 0;
    inodes_.push_back(inode);
    return inos_[node] = static_cast<Ino>(order_.size());
  }

  // A directory's entries and their hash table; what is named here first gets the next number.
  void write_names(size_t i) {
    auto children = model_.children(order_[i]);
    auto first = static_cast<uint32_t>(entries_.size());
    for (const auto& [name, node] : children) {
      Ino ino = inos_[node];
      if (ino == no_ino) ino = add_inode(node, static_cast<Ino>(i + 1));
      bool directory = S_ISDIR(inodes_[ino - 1].mode);
      ++inodes_[directory ? i : ino - 1].nlink;
      entries_.push_back(
          {strings_.add(name), static_cast<uint32_t>(name.size()), ino, tree_name_hash(name)});
    }
    inodes_[i].first = first;
    inodes_[i].count = static_cast<uint32_t>(children.size());
    if (!children.empty()) write_slots(inodes_[i]);
  }

  void write_slots(TreeInodeRecord& directory) {
    while ((uint64_t{1} << directory.slots_log2) < 2 * uint64_t{directory.count}) {
      ++directory.slots_log2;
    }
    directory.slots_first = static_cast<uint32_t>(slots_.size());
    slots_.resize(slots_.size() + (size_t{1} << directory.slots_log2));
    uint32_t mask = (1u << directory.slots_log2) - 1;
    for (uint32_t k = 0; k < directory.count; ++k) {
      uint32_t at = entries_[directory.first + k].hash & mask;
      while (slots_[directory.slots_first + at] != 0) at = (at + 1) & mask;
      slots_[directory.slots_first + at] = k + 1;
    }
  }

  void write_inode(size_t i) {
    const TreeNode& node = model_.nodes[order_[i]];
    TreeInodeRecord& inode = inodes_[i];
    inode.mtime_seconds = node.mtime_seconds;
    inode.mtime_nanoseconds = node.mtime_nanoseconds;
    inode.uid = node.uid;
    inode.gid = node.gid;
    inode.flags = node.flags;
    write_xattrs(node, inode);
    switch (node.mode & S_IFMT) {
      case S_IFDIR:
        break;
      case S_IFREG:
        inode.size = node.size;
        content_bytes_ += node.size;
        write_extents(node, inode);
        break;
      case S_IFLNK:
        inode.size = node.count;
        [[fallthrough]];
      case 0:
        if (node.count == 0) break;
        inode.first = strings_.add(model_.target(node));
        inode.count = node.count;
        break;
      default:
        inode.device_major = node.first;
        inode.device_minor = node.count;
    }
  }

  void write_extents(const TreeNode& node, TreeInodeRecord& inode) {
    inode.first = static_cast<uint32_t>(extents_.size());
    inode.count = node.count;
    for (TreeExtentRecord extent : std::span(model_.extents).subspan(node.first, node.count)) {
      extent.object = object_record(extent.object);
      extents_.push_back(extent);
    }
  }

  uint32_t object_record(uint32_t object) {
    CHECK(object < model_.objects.size());
    uint32_t& place = object_records_[object];
    if (place != no_record) return place;
    const ObjectId& id = model_.objects[object];
    TreeObjectRecord record;
    std::memcpy(record.sha256, id.sha256.bytes.data(), sizeof record.sha256);
    record.xxh3_low = id.xxh3_low;
    record.xxh3_high = id.xxh3_high;
    uint64_t hash = 0;
    std::memcpy(&hash, record.sha256, sizeof hash);
    auto found = object_index_.find(hash, [&](uint32_t number) {
      return std::memcmp(&objects_[number], &record, sizeof record) == 0;
    });
    if (found) return place = *found;
    place = static_cast<uint32_t>(objects_.size());
    objects_.push_back(record);
    object_index_.insert(hash, place);
    return place;
  }

  void write_xattrs(const TreeNode& node, TreeInodeRecord& inode) {
    if (node.xattrs == 0) return;
    const XattrList& list = model_.xattr_lists[node.xattrs];
    uint32_t& first = xattr_firsts_[node.xattrs];
    inode.xattr_count = static_cast<uint32_t>(list.size());
    inode.xattr_first = first == no_record ? static_cast<uint32_t>(xattrs_.size()) : first;
    if (first != no_record) return;
    first = inode.xattr_first;
    for (const auto& [name, value] : list) {
      xattrs_.push_back({strings_.add(name), static_cast<uint32_t>(name.size()),
                         strings_.add(value), static_cast<uint32_t>(value.size())});
    }
  }

  // The names of what has several, each inode's together, in the order of their directories.
  void write_aliases() {
    auto has_several = [](const TreeInodeRecord& i) { return !S_ISDIR(i.mode) && i.nlink > 1; };
    uint32_t count = 0;
    for (TreeInodeRecord& inode : inodes_) {
      if (!has_several(inode)) continue;
      inode.alias_first = count;
      count += inode.nlink;
    }
    aliases_.resize(count);
    for (size_t i = 0; i < inodes_.size(); ++i) {
      if (!S_ISDIR(inodes_[i].mode)) continue;
      auto entries = std::span(entries_).subspan(inodes_[i].first, inodes_[i].count);
      for (const TreeEntryRecord& entry : entries) {
        TreeInodeRecord& inode = inodes_[entry.ino - 1];
        if (!has_several(inode)) continue;
        aliases_[inode.alias_first + inode.alias_count++] = {static_cast<Ino>(i + 1), entry.name,
                                                             entry.name_bytes};
      }
    }
  }

  // Moves a table to the end of the image: both are large.
  template <class Record>
  static void append(std::vector<std::byte>& image, TreeSection& section,
                     std::vector<Record>& table) {
    size_t at = (image.size() + 7) / 8 * 8;
    section = {at, table.size()};
    auto bytes = std::as_bytes(std::span(table));
    image.resize(at);
    image.insert(image.end(), bytes.begin(), bytes.end());
    std::vector<Record>().swap(table);  // assigning {} would keep the memory
  }

  template <class... Record>
  static size_t room_for(const std::vector<Record>&... tables) {
    return (0 + ... + (tables.size() * sizeof(Record) + 8));
  }

  std::vector<std::byte> assemble() {
    std::vector<std::byte> image;
    image.reserve(sizeof(TreeHeader) + room_for(inodes_, entries_, slots_, xattrs_, extents_,
                                                objects_, aliases_, strings_.bytes()));
    image.resize(sizeof(TreeHeader));
    TreeHeader header{};
    header.magic = tree_magic;
    header.version = tree_version;
    header.content_bytes = content_bytes_;
    append(image, header.inodes, inodes_);
    append(image, header.entries, entries_);
    append(image, header.slots, slots_);
    append(image, header.xattrs, xattrs_);
    append(image, header.extents, extents_);
    append(image, header.objects, objects_);
    append(image, header.aliases, aliases_);
    append(image, header.strings, strings_.bytes());
    header.file_bytes = image.size();
    std::memcpy(image.data(), &header, sizeof header);
    auto summed = std::span(image).subspan(tree_checksum_from);
    header.checksum = XXH3_64bits(summed.data(), summed.size());
    std::memcpy(image.data(), &header, sizeof header);
    return image;
  }

  static constexpr uint32_t no_record = UINT32_MAX;

  TreeModel model_;
  std::vector<Ino> inos_;                 // of each node
  std::vector<uint32_t> object_records_;  // of each of the model's objects
  std::vector<uint32_t> xattr_firsts_;    // of each of the model's lists
  std::vector<NodeIndex> order_;          // of each ino - 1
  std::vector<TreeInodeRecord> inodes_;
  std::vector<TreeEntryRecord> entries_;
  std::vector<uint32_t> slots_;
  std::vector<TreeXattrRecord> xattrs_;
  std::vector<TreeExtentRecord> extents_;
  std::vector<TreeObjectRecord> objects_;
  std::vector<TreeAliasRecord> aliases_;
  Strings strings_;
  RecordIndex object_index_;
  uint64_t content_bytes_ = 0;
};

}  // namespace

Result<std::vector<std::byte>> write_tree(TreeModel model) {
  return Layout(std::move(model)).run();
}

}  // namespace lyr::store
