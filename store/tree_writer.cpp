// SPDX-License-Identifier: Apache-2.0
// Lays a TreeModel out as a tree image. Inodes are numbered breadth first, so a parent always comes
// before its child; entries are sorted by name; equal xattr lists, strings and objects are stored
// once. First all is counted, then the tables are written one after the other and none is kept:
// beside the model this takes some 16 bytes for an inode.
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "store/tree_model.h"
#include "store/tree_sink.h"

namespace lyr::store {
namespace {

// The names and values of xattrs, one after another, each kept once.
class XattrStrings {
 public:
  uint32_t add(std::string_view text) {
    uint64_t hash = XXH3_64bits(text.data(), text.size());
    auto found = index_.find(hash, [&](uint32_t i) {
      return std::string_view(bytes_.data() + texts_[i].first, texts_[i].count) == text;
    });
    if (found) return texts_[*found].first;
    index_.insert(hash, static_cast<uint32_t>(texts_.size()));
    auto first = static_cast<uint32_t>(bytes_.size());  // whether it fits: see check_sizes()
    texts_.push_back({first, static_cast<uint32_t>(text.size())});
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return first;
  }
  std::span<const char> bytes() const { return bytes_; }

 private:
  struct Text {
    uint32_t first;
    uint32_t count;
  };
  std::vector<char> bytes_;
  std::vector<Text> texts_;
  RecordIndex index_;
};

uint32_t slots_log2(uint32_t names) {
  uint32_t log2 = 0;
  while ((uint64_t{1} << log2) < 2 * uint64_t{names}) ++log2;
  return log2;
}

class Layout {
 public:
  Layout(TreeModel model, const TreeObjects& objects)
      : model_(std::move(model)), objects_(objects), inos_(model_.nodes.size(), no_ino) {
    model_.drop_indexes();
    // At most, so that neither is copied as it grows.
    order_.reserve(model_.nodes.size());
    links_.reserve(model_.nodes.size());
  }

  Result<Spool> run(Spool to) {
    number_inodes();
    number_objects();
    collect_aliases();
    lay_out_xattrs();
    TreeHeader header = TRY(make_header());
    auto sink = TRY(TreeSink::begin(header, std::move(to)));
    TRY(write_inodes(sink));
    TRY(sink.pad_to(header.entries.offset));
    TRY(write_entries(sink));
    TRY(sink.pad_to(header.slots.offset));
    TRY(write_slots(sink));
    TRY(sink.pad_to(header.xattrs.offset));
    TRY(sink.bytes(std::as_bytes(std::span(xattrs_))));
    TRY(sink.pad_to(header.extents.offset));
    TRY(write_extents(sink));
    TRY(sink.pad_to(header.objects.offset));
    TRY(write_objects(sink));
    TRY(sink.pad_to(header.aliases.offset));
    TRY(sink.bytes(std::as_bytes(std::span(aliases_))));
    TRY(sink.pad_to(header.strings.offset));
    for (size_t i = 0; i < model_.texts.piece_count(); ++i) {
      TRY(sink.bytes(std::as_bytes(model_.texts.piece(i))));
    }
    TRY(sink.bytes(std::as_bytes(xattr_strings_.bytes())));
    return sink.finish();
  }

 private:
  const TreeNode& node(size_t i) const { return model_.nodes[order_[i]]; }
  bool is_directory(size_t i) const { return S_ISDIR(node(i).mode); }

  void add_inode(NodeIndex node) {
    order_.push_back(node);
    links_.push_back(S_ISDIR(model_.nodes[node].mode) ? 2 : 0);
    inos_[node] = static_cast<Ino>(order_.size());
  }

  // What is named first gets the next number.
  void number_inodes() {
    add_inode(root_node);
    for (size_t i = 0; i < order_.size(); ++i) {
      if (!is_directory(i)) continue;
      model_.sort_names(order_[i]);
      model_.each_name(order_[i], [&](const TreeName& name) {
        if (inos_[name.node] == no_ino) add_inode(name.node);
        ++links_[S_ISDIR(model_.nodes[name.node].mode) ? i : inos_[name.node] - 1];
        ++entries_;
      });
      if (node(i).count > 0) slots_ += uint64_t{1} << slots_log2(node(i).count);
    }
  }

  // In the order in which extents name them first.
  void number_objects() {
    object_records_.assign(objects_.count, no_record);
    for (size_t i = 0; i < order_.size(); ++i) {
      if (!S_ISREG(node(i).mode)) continue;
      content_bytes_ += node(i).size;
      model_.each_extent(node(i), [&](const TreeExtentRecord& extent) {
        ++extents_;
        CHECK(extent.object < object_records_.size());
        uint32_t& record = object_records_[extent.object];
        if (record != no_record) return;
        record = static_cast<uint32_t>(used_objects_.size());
        used_objects_.push_back(extent.object);
      });
    }
  }

  // What has several names, and all of these: each inode's together, in the order of directories.
  struct Several {
    Ino ino;
    uint32_t first;  // of aliases_
    uint32_t filled;
  };
  void collect_aliases() {
    uint32_t count = 0;
    for (size_t i = 0; i < order_.size(); ++i) {
      if (is_directory(i) || links_[i] < 2) continue;
      several_.push_back({static_cast<Ino>(i + 1), count, 0});
      count += links_[i];
    }
    if (count == 0) return;
    aliases_.resize(count);
    for (size_t i = 0; i < order_.size(); ++i) {
      if (!is_directory(i)) continue;
      model_.each_name(order_[i], [&](const TreeName& name) {
        auto found = std::ranges::lower_bound(several_, inos_[name.node], {}, &Several::ino);
        if (found == several_.end() || found->ino != inos_[name.node]) return;
        aliases_[found->first + found->filled++] = {static_cast<Ino>(i + 1), name.text,
                                                    text_bytes(name)};
      });
    }
  }

  void lay_out_xattrs() {
    xattr_firsts_.assign(model_.xattr_lists.size(), no_record);
    for (NodeIndex node : order_) {
      uint32_t number = model_.owners[model_.nodes[node].owner].xattrs;
      if (number == 0 || xattr_firsts_[number] != no_record) continue;
      xattr_firsts_[number] = static_cast<uint32_t>(xattrs_.size());
      auto from = static_cast<uint32_t>(model_.texts.bytes());
      for (const auto& [name, value] : model_.xattr_lists[number]) {
        xattrs_.push_back({from + xattr_strings_.add(name), static_cast<uint32_t>(name.size()),
                           from + xattr_strings_.add(value), static_cast<uint32_t>(value.size())});
      }
    }
  }

  Result<TreeHeader> make_header() const {
    TreeHeader header{};
    header.magic = tree_magic;
    header.version = tree_version;
    header.content_bytes = content_bytes_;
    uint64_t at = sizeof header;
    bool fits = true;
    auto place = [&](TreeSection& section, uint64_t count, uint64_t record_bytes) {
      at = (at + 7) / 8 * 8;
      section = {at, count};
      at += count * record_bytes;
      fits = fits && (record_bytes == 1 || count <= tree_records_max);
    };
    place(header.inodes, order_.size(), sizeof(TreeInodeRecord));
    place(header.entries, entries_, sizeof(TreeEntryRecord));
    place(header.slots, slots_, sizeof(uint32_t));
    place(header.xattrs, xattrs_.size(), sizeof(TreeXattrRecord));
    place(header.extents, extents_, sizeof(TreeExtentRecord));
    place(header.objects, used_objects_.size(), sizeof(TreeObjectRecord));
    place(header.aliases, aliases_.size(), sizeof(TreeAliasRecord));
    place(header.strings, model_.texts.bytes() + xattr_strings_.bytes().size(), 1);
    header.file_bytes = at;
    if (!fits || header.strings.count > UINT32_MAX) return fail(EFBIG, "tree");
    return header;
  }

  uint32_t text_bytes(const TreeName& name) const {
    return static_cast<uint32_t>(model_.texts.at(name.text).size());
  }

  // How far the tables are that inodes count places in.
  struct Cursors {
    uint32_t entries = 0;
    uint32_t slots = 0;
    uint32_t extents = 0;
    size_t several = 0;
  };

  Result<> write_inodes(TreeSink& sink) const {
    Cursors at;
    for (size_t i = 0; i < order_.size(); ++i) {
      const TreeNode& from = node(i);
      const TreeOwner& owner = model_.owners[from.owner];
      TreeInodeRecord inode{};
      inode.mtime_seconds = from.mtime_seconds;
      inode.mtime_nanoseconds = from.mtime_nanoseconds;
      inode.mode = from.mode;
      inode.uid = owner.uid;
      inode.gid = owner.gid;
      inode.nlink = links_[i];
      inode.flags = from.flags;
      if (owner.xattrs != 0) {
        inode.xattr_first = xattr_firsts_[owner.xattrs];
        inode.xattr_count = static_cast<uint32_t>(model_.xattr_lists[owner.xattrs].size());
      }
      if (at.several < several_.size() && several_[at.several].ino == i + 1) {
        inode.alias_first = several_[at.several++].first;
        inode.alias_count = links_[i];
      }
      describe_content(from, inode, at);
      TRY(sink.put(inode));
    }
    return {};
  }

  void describe_content(const TreeNode& from, TreeInodeRecord& inode, Cursors& at) const {
    switch (from.mode & S_IFMT) {
      case S_IFDIR:
        inode.parent = inos_[from.parent];
        inode.first = at.entries;
        inode.count = from.count;
        at.entries += from.count;
        if (from.count == 0) break;
        inode.slots_first = at.slots;
        inode.slots_log2 = slots_log2(from.count);
        at.slots += uint32_t{1} << inode.slots_log2;
        break;
      case S_IFREG:
        inode.size = from.size;
        inode.first = at.extents;
        inode.count = from.count == whole_object ? 1 : from.count;
        at.extents += inode.count;
        break;
      case S_IFLNK:
        inode.size = from.count;
        [[fallthrough]];
      case 0:
        if (from.count == 0) break;
        inode.first = from.first;
        inode.count = from.count;
        break;
      default:
        inode.device_major = from.first;
        inode.device_minor = from.count;
    }
  }

  Result<> write_entries(TreeSink& sink) const {
    Result<> outcome;
    for (size_t i = 0; i < order_.size() && outcome; ++i) {
      if (!is_directory(i)) continue;
      model_.each_name(order_[i], [&](const TreeName& name) {
        std::string_view text = model_.texts.at(name.text);
        TreeEntryRecord entry{name.text, static_cast<uint32_t>(text.size()), inos_[name.node],
                              tree_name_hash(text)};
        if (outcome) outcome = sink.put(entry);
      });
    }
    return outcome;
  }

  // Each directory's hash table.
  Result<> write_slots(TreeSink& sink) const {
    std::vector<uint32_t> slots;
    for (size_t i = 0; i < order_.size(); ++i) {
      if (!is_directory(i) || node(i).count == 0) continue;
      slots.assign(size_t{1} << slots_log2(node(i).count), 0);
      auto mask = static_cast<uint32_t>(slots.size() - 1);
      uint32_t number = 0;
      model_.each_name(order_[i], [&](const TreeName& name) {
        uint32_t at = tree_name_hash(model_.texts.at(name.text)) & mask;
        while (slots[at] != 0) at = (at + 1) & mask;
        slots[at] = ++number;
      });
      TRY(sink.bytes(std::as_bytes(std::span(slots))));
    }
    return {};
  }

  Result<> write_extents(TreeSink& sink) const {
    Result<> outcome;
    for (size_t i = 0; i < order_.size() && outcome; ++i) {
      if (!S_ISREG(node(i).mode)) continue;
      model_.each_extent(node(i), [&](TreeExtentRecord extent) {
        extent.object = object_records_[extent.object];
        if (outcome) outcome = sink.put(extent);
      });
    }
    return outcome;
  }

  Result<> write_objects(TreeSink& sink) const {
    for (uint32_t number : used_objects_) {
      ObjectId id = TRY(objects_.id(number));
      TreeObjectRecord record;
      std::memcpy(record.sha256, id.sha256.bytes.data(), sizeof record.sha256);
      record.xxh3_low = id.xxh3_low;
      record.xxh3_high = id.xxh3_high;
      TRY(sink.put(record));
    }
    return {};
  }

  static constexpr uint32_t no_record = UINT32_MAX;

  TreeModel model_;
  const TreeObjects& objects_;
  std::vector<Ino> inos_;                 // of each node
  std::vector<NodeIndex> order_;          // of each ino - 1
  std::vector<uint32_t> links_;           // of each ino - 1
  std::vector<uint32_t> object_records_;  // of each object
  std::vector<uint32_t> used_objects_;    // of each object record
  std::vector<uint32_t> xattr_firsts_;    // of each of the model's lists
  std::vector<TreeXattrRecord> xattrs_;
  XattrStrings xattr_strings_;
  std::vector<Several> several_;  // by ino
  std::vector<TreeAliasRecord> aliases_;
  uint64_t entries_ = 0;
  uint64_t slots_ = 0;
  uint64_t extents_ = 0;
  uint64_t content_bytes_ = 0;
};

}  // namespace

Result<Spool> write_tree(TreeModel model, const TreeObjects& objects, Spool to) {
  return Layout(std::move(model), objects).run(std::move(to));
}

}  // namespace lyr::store
