// SPDX-License-Identifier: Apache-2.0
// Merges layer trees into the image's tree (image-spec, layer.md): a directory over a directory
// merges, all else replaces; whiteouts and opaque marks hide what lower layers had, and are gone
// afterwards.
#include <sys/stat.h>

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
    shared_.clear();
    links_away_.clear();
    if (image.objects.size() > UINT32_MAX - model_.objects.size()) return fail(EFBIG, "tree");
    objects_from_ = static_cast<uint32_t>(model_.objects.size());
    for (const TreeObjectRecord& object : image.objects)
      model_.objects.push_back(object_id(object));
    TRY(find_link_targets());
    TRY(merge_directory(root_node, root_ino));
    for (const LinkAway& link : links_away_) {
      model_.nodes[link.directory].children.insert_or_assign(link.name, link.target);
    }
    return {};
  }

  Result<std::vector<std::byte>> finish() { return write_tree(model_); }

 private:
  struct LinkAway {
    NodeIndex directory;
    std::string name;
    NodeIndex target;
  };

  const TreeInodeRecord& record(Ino ino) const { return image_->inodes[ino - 1]; }

  void take_attributes(TreeNode& node, Ino ino) const {
    TreeAttr attr = layer_->attr(ino);
    node.attr.mode = attr.mode & 07777;
    node.attr.uid = attr.uid;
    node.attr.gid = attr.gid;
    node.attr.mtime_seconds = attr.mtime_seconds;
    node.attr.mtime_nanoseconds = attr.mtime_nanoseconds;
    node.attr.xattrs.clear();
    for (uint32_t i = 0; i < layer_->xattr_count(ino); ++i) {
      TreeXattr xattr = layer_->xattr(ino, i);
      node.attr.xattrs.emplace_back(xattr.name, xattr.value);
    }
  }

  NodeIndex copy_node(Ino ino) {
    auto [found, fresh] = shared_.try_emplace(ino, no_node);
    if (!fresh) return found->second;
    TreeAttr attr = layer_->attr(ino);
    TreeNode node;
    take_attributes(node, ino);
    node.type = attr.mode & S_IFMT;
    node.device_major = attr.device_major;
    node.device_minor = attr.device_minor;
    node.size = attr.size;
    node.target = layer_->symlink_target(ino);
    auto extents = image_->extents.subspan(record(ino).first, layer_->extent_count(ino));
    for (const TreeExtentRecord& extent : extents) {
      node.extents.push_back({.file_offset = extent.file_offset,
                              .length = extent.length,
                              .object_offset = extent.object_offset,
                              .object = objects_from_ + extent.object});
    }
    return found->second = model_.add(std::move(node));
  }

  Result<> merge_directory(NodeIndex into, Ino directory) {
    uint32_t flags = record(directory).flags;
    if ((flags & inode_opaque) != 0) model_.nodes[into].children.clear();
    if ((flags & inode_implicit) == 0) {
      take_attributes(model_.nodes[into], directory);
      model_.nodes[into].flags = 0;
    }
    for (uint32_t i = 0; i < layer_->entry_count(directory); ++i) {
      TreeEntry entry = layer_->entry(directory, i);
      TRY(merge_entry(into, std::string(entry.name), entry.ino));
    }
    return {};
  }

  Result<> merge_entry(NodeIndex into, std::string name, Ino ino) {
    uint32_t flags = record(ino).flags;
    if ((flags & inode_whiteout) != 0) {
      model_.nodes[into].children.erase(name);
      return {};
    }
    if ((flags & inode_link_away) != 0) {
      links_away_.push_back({into, std::move(name), targets_.at(ino)});
      return {};
    }
    if (!S_ISDIR(record(ino).mode)) {
      NodeIndex made = copy_node(ino);
      model_.nodes[into].children.insert_or_assign(std::move(name), made);
      return {};
    }
    NodeIndex present = model_.child(into, name);
    if (present == no_node || model_.nodes[present].type != S_IFDIR) {
      TreeNode node;
      node.type = S_IFDIR;
      node.parent = into;
      take_attributes(node, ino);
      present = model_.add(std::move(node));
      model_.nodes[into].children.insert_or_assign(std::move(name), present);
    }
    return merge_directory(present, ino);  // as deep as path_depth_max at most
  }

  // Links to lower layers' files are looked up before this layer changes anything.
  Result<> find_link_targets() {
    targets_.clear();
    for (Ino ino = 1; ino <= layer_->inode_count(); ++ino) {
      const TreeInodeRecord& inode = record(ino);
      if ((inode.flags & inode_link_away) == 0) continue;
      std::string target(image_->text(inode.first, inode.count));
      NodeIndex found = model_.find(target);
      if (found == no_node || model_.nodes[found].type == S_IFDIR) {
        return fail(ENOENT, "hard link to a file that no layer has", target);
      }
      targets_.emplace(ino, found);
    }
    return {};
  }

  TreeModel model_;
  const Tree* layer_ = nullptr;
  const Tree::Image* image_ = nullptr;
  uint32_t objects_from_ = 0;         // where the layer's objects begin among the model's
  std::map<Ino, NodeIndex> shared_;   // nodes made from this layer's inodes, for hard links
  std::map<Ino, NodeIndex> targets_;  // of this layer's links away
  std::vector<LinkAway> links_away_;
};

}  // namespace

const Tree::Image& tree_image(const Tree& tree) { return *tree.image_; }

Result<std::vector<std::byte>> merge_trees(std::span<const Tree* const> layers) {
  Merge merge;
  for (const Tree* layer : layers) TRY(merge.apply(*layer, tree_image(*layer)));
  return merge.finish();
}

}  // namespace lyr::store
