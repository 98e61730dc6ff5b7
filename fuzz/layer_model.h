// SPDX-License-Identifier: Apache-2.0
// A second, slow and plain reading of image-spec layer.md, to compare trees with: a map from paths
// to what stands there.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "fuzz/seen_entry.h"

namespace lyr::fuzz {

class LayerModel {
 public:
  LayerModel();
  // False: no layer may hold such an entry.
  bool add(const SeenEntry& entry);
  // A line for each path that an image of this one layer shows; nothing when a hard link leads
  // nowhere.
  std::optional<std::map<std::string, std::string>> lines() const;

 private:
  struct Node {
    SeenEntry entry;
    std::string away;  // a hard link to what lower layers may have there
  };
  using Path = std::string;  // "" is the root, "a/b" what stands in a

  std::optional<Path> resolve(const Path& parent, const std::string& path, bool make, int& links);
  std::optional<Path> place(const std::string& path);
  void remove_below(const Path& path);
  bool put(const Path& path, std::shared_ptr<Node> node);
  bool add_link(const SeenEntry& entry);
  bool add_directory(const SeenEntry& entry, const Path& path);

  std::map<Path, std::shared_ptr<Node>> nodes_;
};

// The line of `entry` at `path`.
std::string line_of(const std::string& path, const SeenEntry& entry);

}  // namespace lyr::fuzz
