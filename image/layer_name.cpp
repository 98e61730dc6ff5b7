// SPDX-License-Identifier: Apache-2.0
#include "image/layer_name.h"

#include "image/tar_header.h"

namespace lyr::image {
namespace {

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view aufs_prefix = ".wh..wh.";  // AUFS kept its own files under such names
constexpr std::string_view opaque_name = ".wh..wh..opq";

}  // namespace

Result<LayerName> classify(std::string_view path) {
  using Kind = LayerName::Kind;
  size_t slash = path.rfind('/');
  std::string_view base = slash == std::string_view::npos ? path : path.substr(slash + 1);
  std::string_view parents = path.substr(0, path.size() - base.size());
  for (std::string_view left = parents; !left.empty();) {
    size_t end = left.find('/');
    std::string_view part = left.substr(0, end);
    left.remove_prefix(end + 1);
    if (part.starts_with(aufs_prefix)) return LayerName{Kind::ignored, std::string(path)};
    if (part.starts_with(whiteout_prefix)) return bad_tar("a whiteout stands as a directory");
  }
  if (!base.starts_with(whiteout_prefix)) return LayerName{Kind::entry, std::string(path)};
  if (base == opaque_name) {
    return LayerName{Kind::opaque, parents.empty() ? "." : std::string(parents)};
  }
  if (base.starts_with(aufs_prefix)) return LayerName{Kind::ignored, std::string(path)};
  std::string_view hidden = base.substr(whiteout_prefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return bad_tar("a whiteout names nothing that can be hidden");
  }
  return LayerName{Kind::whiteout, std::string(parents) + std::string(hidden)};
}

}  // namespace lyr::image
