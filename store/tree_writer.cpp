// SPDX-License-Identifier: Apache-2.0
// Lays a TreeModel out as a tree image. Inodes are numbered breadth first, so a parent always comes
// before its child; entries are sorted by name; equal xattr lists, strings and objects are stored
// once.
#include <sys/stat.h>
#include <xxhash.h>

#include <cstring>
#include <unordered_map>

#include "base/check.h"
#include "store/tree_model.h"

namespace lyr::store {
namespace {

class Layout {
 public:
  explicit Layout(const TreeModel& model)
      : model_(model),
        inos_(model.nodes.size(), no_ino),
        object_records_(model.objects.size(), no_record) {}

  Result<std::vector<std::byte>> run() {
    number();
    for (size_t i = 0; i < order_.size(); ++i) TRY(write_inode(i));
    write_aliases();
    if (strings_.size() > UINT32_MAX || extents_.size() > tree_records_max ||
        xattrs_.size() > tree_records_max) {
      return fail(EFBIG, "tree");
    }
    return assemble();
  }

 private:
  void number() {
    order_.push_back(root_node);
    inos_[root_node] = root_ino;
    names_.resize(1);
    for (size_t i = 0; i < order_.size(); ++i) {
      for (const auto& [name, node] : model_.nodes[order_[i]].children) {
        if (inos_[node] == no_ino) {
          order_.push_back(node);
          inos_[node] = static_cast<Ino>(order_.size());
          names_.emplace_back();
        }
        names_[inos_[node] - 1].push_back(
            {static_cast<uint32_t>(i + 1), text(name), static_cast<uint32_t>(name.size())});
      }
    }
    inodes_.resize(order_.size());
  }

  uint32_t text(std::string_view value) {
    auto [found, fresh] = texts_.try_emplace(std::string(value), strings_.size());
    if (fresh) strings_.append(value);
    return static_cast<uint32_t>(found->second);
  }

  Result<> write_inode(size_t i) {
    const TreeNode& node = model_.nodes[order_[i]];
    TreeInodeRecord& inode = inodes_[i];
    inode.size = node.size;
    inode.mtime_seconds = node.attr.mtime_seconds;
    inode.mtime_nanoseconds = node.attr.mtime_nanoseconds;
    inode.mode = node.type | (node.attr.mode & 07777);
    inode.uid = node.attr.uid;
    inode.gid = node.attr.gid;
    inode.device_major = node.device_major;
    inode.device_minor = node.device_minor;
    inode.flags = node.flags;
    inode.nlink = static_cast<uint32_t>(names_[i].size());
    write_xattrs(node, inode);
    if (node.type == S_IFDIR) {
      write_directory(node, i, inode);
    } else if (node.type == S_IFREG) {
      content_bytes_ += node.size;
      write_extents(node, inode);
    } else if (!node.target.empty()) {
      inode.first = text(node.target);
      inode.count = static_cast<uint32_t>(node.target.size());
      if (node.type == S_IFLNK) inode.size = node.target.size();
    }
    return {};
  }

  void write_directory(const TreeNode& node, size_t i, TreeInodeRecord& inode) {
    inode.size = 0;
    inode.nlink = 2;
    inode.parent = i == 0 ? root_ino : names_[i].front().directory;
    inode.first = static_cast<uint32_t>(entries_.size());
    inode.count = static_cast<uint32_t>(node.children.size());
    for (const auto& [name, child] : node.children) {
      if (model_.nodes[child].type == S_IFDIR) ++inode.nlink;
      entries_.push_back(
          {text(name), static_cast<uint32_t>(name.size()), inos_[child], tree_name_hash(name)});
    }
    if (inode.count == 0) return;
    while ((uint64_t{1} << inode.slots_log2) < 2 * uint64_t{inode.count}) ++inode.slots_log2;
    inode.slots_first = static_cast<uint32_t>(slots_.size());
    slots_.resize(slots_.size() + (size_t{1} << inode.slots_log2));
    uint32_t mask = (1u << inode.slots_log2) - 1;
    for (uint32_t k = 0; k < inode.count; ++k) {
      uint32_t at = entries_[inode.first + k].hash & mask;
      while (slots_[inode.slots_first + at] != 0) at = (at + 1) & mask;
      slots_[inode.slots_first + at] = k + 1;
    }
  }

  void write_extents(const TreeNode& node, TreeInodeRecord& inode) {
    inode.first = static_cast<uint32_t>(extents_.size());
    inode.count = static_cast<uint32_t>(node.extents.size());
    for (const LayerExtent& extent : node.extents) {
      extents_.push_back({extent.file_offset, extent.length, object_record(extent.object),
                          static_cast<uint32_t>(extent.object_offset)});
    }
  }

  uint32_t object_record(uint32_t object) {
    CHECK(object < model_.objects.size());
    uint32_t& place = object_records_[object];
    if (place != no_record) return place;
    const ObjectId& id = model_.objects[object];
    auto [found, fresh] = object_index_.try_emplace(id, objects_.size());
    if (fresh) {
      TreeObjectRecord record;
      std::memcpy(record.sha256, id.sha256.bytes.data(), sizeof record.sha256);
      record.xxh3_low = id.xxh3_low;
      record.xxh3_high = id.xxh3_high;
      objects_.push_back(record);
    }
    return place = static_cast<uint32_t>(found->second);
  }

  void write_xattrs(const TreeNode& node, TreeInodeRecord& inode) {
    if (node.attr.xattrs.empty()) return;
    auto [found, fresh] = xattr_lists_.try_emplace(node.attr.xattrs, xattrs_.size());
    inode.xattr_first = static_cast<uint32_t>(found->second);
    inode.xattr_count = static_cast<uint32_t>(node.attr.xattrs.size());
    if (!fresh) return;
    for (const auto& [name, value] : node.attr.xattrs) {
      xattrs_.push_back({text(name), static_cast<uint32_t>(name.size()), text(value),
                         static_cast<uint32_t>(value.size())});
    }
  }

  void write_aliases() {
    for (size_t i = 0; i < order_.size(); ++i) {
      if (names_[i].size() < 2) continue;
      inodes_[i].alias_first = static_cast<uint32_t>(aliases_.size());
      inodes_[i].alias_count = static_cast<uint32_t>(names_[i].size());
      aliases_.insert(aliases_.end(), names_[i].begin(), names_[i].end());
    }
  }

  template <class Record>
  void append(std::vector<std::byte>& image, TreeSection& section,
              const std::vector<Record>& table) {
    size_t at = (image.size() + 7) / 8 * 8;
    section = {at, table.size()};
    auto bytes = std::as_bytes(std::span(table));
    image.resize(at + bytes.size());
    std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<ptrdiff_t>(at));
  }

  std::vector<std::byte> assemble() {
    std::vector<std::byte> image(sizeof(TreeHeader));
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
    append(image, header.strings, std::vector<char>(strings_.begin(), strings_.end()));
    header.file_bytes = image.size();
    std::memcpy(image.data(), &header, sizeof header);
    auto summed = std::span(image).subspan(tree_checksum_from);
    header.checksum = XXH3_64bits(summed.data(), summed.size());
    std::memcpy(image.data(), &header, sizeof header);
    return image;
  }

  static constexpr uint32_t no_record = UINT32_MAX;

  const TreeModel& model_;
  std::vector<Ino> inos_;                 // of each node
  std::vector<uint32_t> object_records_;  // of each of the model's objects
  std::vector<NodeIndex> order_;          // of each ino - 1
  std::vector<std::vector<TreeAliasRecord>> names_;
  std::vector<TreeInodeRecord> inodes_;
  std::vector<TreeEntryRecord> entries_;
  std::vector<uint32_t> slots_;
  std::vector<TreeXattrRecord> xattrs_;
  std::vector<TreeExtentRecord> extents_;
  std::vector<TreeObjectRecord> objects_;
  std::vector<TreeAliasRecord> aliases_;
  std::string strings_;
  std::unordered_map<std::string, size_t> texts_;
  std::unordered_map<ObjectId, size_t, ObjectHash> object_index_;
  std::map<std::vector<std::pair<std::string, std::string>>, size_t> xattr_lists_;
  uint64_t content_bytes_ = 0;
};

}  // namespace

Result<std::vector<std::byte>> write_tree(const TreeModel& model) { return Layout(model).run(); }

}  // namespace lyr::store
