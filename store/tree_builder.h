// SPDX-License-Identifier: Apache-2.0
// Builds tree images: one layer from its tar entries, or an image from its layers. All names are
// resolved in our own inode table: no path given here ever reaches the host's file system.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/spool.h"
#include "store/table.h"
#include "store/tree.h"

namespace lyr::store {

struct NodeAttr {
  uint32_t mode = 0;  // permission bits only; the call says the type
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanoseconds = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// The objects that extents count: `count` of them, no two the same.
struct TreeObjects {
  size_t count = 0;
  std::function<Result<ObjectId>(uint32_t)> id;
};

// What LayerImport made of a file.
struct FileContent {
  uint64_t size = 0;
  std::vector<LayerExtent> extents;
};

// Limits: EINVAL or ENAMETOOLONG past them.
constexpr size_t path_bytes_max = 4096;
constexpr size_t name_bytes_max = 255;
constexpr size_t path_depth_max = 256;
constexpr size_t layer_entries_max = 4 << 20;

// Paths are as in a tar: leading "/" and "./" are dropped, ".." and NUL are EINVAL. Missing parents
// are made as implicit directories (0755, root), which take the lower layer's attributes when
// merged. A parent that is a symlink made by this layer is followed inside the tree. A later entry
// of the same path replaces the earlier; a directory over a directory keeps its children and takes
// the new attributes. Not thread-safe.
class LayerTreeBuilder {
 public:
  LayerTreeBuilder();
  LayerTreeBuilder(LayerTreeBuilder&&) noexcept;
  LayerTreeBuilder& operator=(LayerTreeBuilder&&) noexcept;
  ~LayerTreeBuilder();

  Result<> add_directory(std::string_view path, const NodeAttr& attr);
  Result<> add_file(std::string_view path, const NodeAttr& attr, uint64_t size,
                    std::span<const Extent> content);
  // Of objects whose names finish() is told: all files of a builder are of one kind or the other.
  Result<> add_file(std::string_view path, const NodeAttr& attr, FileContent content);
  Result<> add_symlink(std::string_view path, const NodeAttr& attr, std::string_view target);
  // `type`: S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK.
  Result<> add_special(std::string_view path, const NodeAttr& attr, uint32_t type, uint32_t major,
                       uint32_t minor);
  // `target` may be a path of a lower layer; it is then resolved at merge (ENOENT there if
  // nowhere).
  Result<> add_hard_link(std::string_view path, std::string_view target);
  Result<> add_whiteout(std::string_view path);
  Result<> set_opaque(std::string_view directory);

  // The finished tree image's bytes, in `to`. The builder is empty afterwards.
  Result<Spool> finish(Spool to = {});
  // The same, when extents count the layer's objects: `numbers` says which of `objects` each is.
  Result<Spool> finish(const Table<uint32_t>& numbers, const TreeObjects& objects, Spool to);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The image tree of `layers`, lowest first, by the rules of the OCI image-spec, layer.md. Whiteouts
// act on lower layers only; opaque marks hide what lower layers had. Its bytes are in `to`.
Result<Spool> merge_trees(std::span<const Tree* const> layers, Spool to = {});

}  // namespace lyr::store
