// SPDX-License-Identifier: Apache-2.0
// Merges layer trees into the image's tree (image-spec, layer.md): a directory over a directory
// merges, all else replaces; whiteouts and opaque marks hide what lower layers had, and are gone
// afterwards.
#include <sys/stat.h>

#include <cstring>
#include <map>

#include "store/tree_image.h"
#include "store/tree_model.h"

namespace lyr::store {
namespace {

class Merge {
 public:
  Result<> apply(const Tree& layer, const Tree::Image& image) {
    layer_ = &layer;
    image_ = &image;
    images_.push_back(&image);
    made_.assign(layer.inode_count(), no_node);
    links_away_.clear();
    TRY(number_objects());
    TRY(find_link_targets());
    TRY(merge_directory(root_node, root_ino));
    for (const LinkAway& link : links_away_) {
      TRY(model_.set_child(link.directory, link.name, link.target));
    }
    image.mapping.release();
    return {};
  }

  Result<Spool> finish(Spool to) {
    std::vector<uint32_t>().swap(object_numbers_);
    std::vector<NodeIndex>().swap(made_);
    objects_index_ = RecordIndex();
    auto id = [&](uint32_t number) -> Result<ObjectId> {
      looked_at_one();
      return object_id(*objects_[number]);
    };
    return write_tree(std::move(model_), {.count = objects_.size(), .id = id}, std::move(to));
  }

 private:
  // A record of some layer's: now and then what was read of their files leaves the memory.
  void looked_at_one() {
    constexpr size_t released_after = 16384;
    if (++looked_at_ % released_after != 0) return;
    for (const Tree::Image* image : images_) image->mapping.release();
  }

  struct LinkAway {
    NodeIndex directory;
    std::string_view name;
    NodeIndex target;
  };

  const TreeInodeRecord& record(Ino ino) const { return image_->inodes[ino - 1]; }

  void take_attributes(TreeNode& node, Ino ino) {
    const TreeInodeRecord& inode = record(ino);
    node.mode = static_cast<uint16_t>(inode.mode & (S_IFMT | 07777));
    node.mtime_seconds = inode.mtime_seconds;
    node.mtime_nanoseconds = inode.mtime_nanoseconds;
    XattrList xattrs;
    for (uint32_t i = 0; i < inode.xattr_count; ++i) {
      TreeXattr xattr = layer_->xattr(ino, i);
      xattrs.emplace_back(xattr.name, xattr.value);
    }
    node.owner = model_.owner(inode.uid, inode.gid, xattrs);
  }

  // The node of a layer's inode: one, however many names it has.
  Result<NodeIndex> copy_node(Ino ino) {
    if (made_[ino - 1] != no_node) return made_[ino - 1];
    const TreeInodeRecord& inode = record(ino);
    TreeNode node;
    take_attributes(node, ino);
    if (S_ISREG(inode.mode)) {
      TRY(copy_extents(ino, node));
    } else if (S_ISLNK(inode.mode)) {
      node.first = TRY(model_.texts.add(layer_->symlink_target(ino)));
      node.count = inode.count;
    } else {
      node.first = inode.device_major;
      node.count = inode.device_minor;
    }
    return made_[ino - 1] = model_.add(node);
  }

  Result<> copy_extents(Ino ino, TreeNode& node) {
    const TreeInodeRecord& inode = record(ino);
    content_.clear();
    for (TreeExtentRecord extent : image_->extents.subspan(inode.first, inode.count)) {
      extent.object = object_numbers_[extent.object];
      content_.push_back(extent);
    }
    return model_.set_content(node, inode.size, content_);
  }

  // The layer's objects among all: one that a lower layer has is that one.
  Result<> number_objects() {
    auto objects = image_->objects;
    if (objects.size() > UINT32_MAX - objects_.size()) return fail(EFBIG, "tree");
    object_numbers_.resize(objects.size());
    for (size_t i = 0; i < objects.size(); ++i) {
      looked_at_one();
      uint64_t hash = 0;
      std::memcpy(&hash, objects[i].sha256, sizeof hash);
      auto found = objects_index_.find(hash, [&](uint32_t number) {
        return std::memcmp(objects_[number], &objects[i], sizeof objects[i]) == 0;
      });
      object_numbers_[i] = found ? *found : static_cast<uint32_t>(objects_.size());
      if (found) continue;
      objects_.push_back(&objects[i]);
      objects_index_.insert(hash, object_numbers_[i]);
    }
    return {};
  }

  Result<> merge_directory(NodeIndex into, Ino directory) {
    uint32_t flags = record(directory).flags;
    if ((flags & inode_opaque) != 0) model_.remove_children(into);
    if ((flags & inode_implicit) == 0) {
      take_attributes(model_.nodes[into], directory);
      model_.nodes[into].flags = 0;
    }
    for (uint32_t i = 0; i < layer_->entry_count(directory); ++i) {
      TRY(merge_entry(into, layer_->entry(directory, i)));
    }
    return {};
  }

  Result<> merge_entry(NodeIndex into, const TreeEntry& entry) {
    looked_at_one();
    uint32_t flags = record(entry.ino).flags;
    if ((flags & inode_whiteout) != 0) {
      model_.remove_child(into, entry.name);
      return {};
    }
    if ((flags & inode_link_away) != 0) {
      links_away_.push_back({into, entry.name, targets_.at(entry.ino)});
      return {};
    }
    if (!S_ISDIR(record(entry.ino).mode)) {
      NodeIndex made = TRY(copy_node(entry.ino));
      return model_.set_child(into, entry.name, made);
    }
    NodeIndex present = model_.child(into, entry.name);
    if (present == no_node || !S_ISDIR(model_.nodes[present].mode)) {
      present = model_.add_directory(into, 0, 0);
      take_attributes(model_.nodes[present], entry.ino);
      TRY(model_.set_child(into, entry.name, present));
    }
    return merge_directory(present, entry.ino);  // as deep as path_depth_max at most
  }

  // Links to lower layers' files are looked up before this layer changes anything.
  Result<> find_link_targets() {
    targets_.clear();
    for (Ino ino = 1; ino <= layer_->inode_count(); ++ino) {
      looked_at_one();
      const TreeInodeRecord& inode = record(ino);
      if ((inode.flags & inode_link_away) == 0) continue;
      std::string target(image_->text(inode.first, inode.count));
      NodeIndex found = model_.find(target);
      if (found == no_node || S_ISDIR(model_.nodes[found].mode)) {
        return fail(ENOENT, "hard link to a file that no layer has", target);
      }
      targets_.emplace(ino, found);
    }
    return {};
  }

  TreeModel model_;
  const Tree* layer_ = nullptr;
  const Tree::Image* image_ = nullptr;
  std::vector<const Tree::Image*> images_;  // of all layers so far
  Table<const TreeObjectRecord*> objects_;  // where the first of each stands
  RecordIndex objects_index_;
  std::vector<uint32_t> object_numbers_;  // of this layer's objects: which of all they are
  std::vector<TreeExtentRecord> content_;
  size_t looked_at_ = 0;
  std::vector<NodeIndex> made_;       // of this layer's inodes: hard links
  std::map<Ino, NodeIndex> targets_;  // of this layer's links away
  std::vector<LinkAway> links_away_;
};

}  // namespace

const Tree::Image& tree_image(const Tree& tree) { return *tree.image_; }

Result<Spool> merge_trees(std::span<const Tree* const> layers, Spool to) {
  Merge merge;
  for (const Tree* layer : layers) TRY(merge.apply(*layer, tree_image(*layer)));
  return merge.finish(std::move(to));
}

}  // namespace lyr::store
