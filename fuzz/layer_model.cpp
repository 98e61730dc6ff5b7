// SPDX-License-Identifier: Apache-2.0
#include "fuzz/layer_model.h"

#include <algorithm>
#include <vector>

#include "store/tree_builder.h"

namespace lyr::fuzz {
namespace {

constexpr int links_max = 40;

std::string join(const std::string& parent, const std::string& name) {
  return parent.empty() ? name : parent + "/" + name;
}

std::string parent_of(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= path.size();) {
    size_t slash = std::min(path.find('/', at), path.size());
    std::string part = path.substr(at, slash - at);
    if (!part.empty() && part != ".") parts.push_back(part);
    at = slash + 1;
  }
  return parts;
}

SeenEntry implicit_directory() {
  SeenEntry entry;
  entry.type = 'd';
  entry.mode = 0755;
  return entry;
}

}  // namespace

LayerModel::LayerModel() { nodes_[""] = std::make_shared<Node>(Node{implicit_directory(), ""}); }

void LayerModel::remove_below(const Path& path) {
  std::erase_if(nodes_, [&](const auto& item) { return item.first.starts_with(path + "/"); });
}

// Where `path` leads from `parent`, links followed; what is missing becomes directories if `make`.
std::optional<std::string> LayerModel::resolve(const Path& parent, const std::string& path,
                                               bool make, int& links) {
  Path at = path.starts_with('/') ? "" : parent;
  for (const std::string& part : split(path)) {
    if (part.size() > store::name_bytes_max) return std::nullopt;
    if (part == "..") {
      at = parent_of(at);
      continue;
    }
    Path next = join(at, part);
    auto found = nodes_.find(next);
    if (found == nodes_.end()) {
      bool deep = static_cast<size_t>(std::ranges::count(next, '/')) >= store::path_depth_max;
      if (!make || deep) return std::nullopt;
      nodes_[next] = std::make_shared<Node>(Node{implicit_directory(), ""});
    } else if (found->second->entry.type == 'l') {
      if (++links > links_max) return std::nullopt;
      auto target = resolve(at, found->second->entry.link_target, make, links);
      if (!target) return std::nullopt;
      next = *target;
    } else if (found->second->entry.type != 'd') {
      return std::nullopt;
    }
    at = next;
  }
  return at;
}

// Where an entry of this name goes: its parents are made where they are missing.
std::optional<std::string> LayerModel::place(const std::string& path) {
  std::vector<std::string> parts = split(path);
  if (parts.empty()) return "";
  if (parts.size() > store::path_depth_max || parts.back().size() > store::name_bytes_max) {
    return std::nullopt;
  }
  if (std::ranges::find(parts, "..") != parts.end()) return std::nullopt;
  int links = 0;  // of the whole path
  Path at;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    auto next = resolve(at, parts[i], true, links);
    if (!next) return std::nullopt;
    at = *next;
  }
  return join(at, parts.back());
}

bool LayerModel::put(const Path& path, std::shared_ptr<Node> node) {
  if (path.empty()) return false;
  remove_below(path);
  nodes_[path] = std::move(node);
  return true;
}

bool LayerModel::add_directory(const SeenEntry& entry, const Path& path) {
  auto found = nodes_.find(path);
  if (found != nodes_.end() && found->second->entry.type == 'd') {
    found->second->entry = entry;
    return true;
  }
  if (static_cast<size_t>(std::ranges::count(path, '/')) >= store::path_depth_max) return false;
  return put(path, std::make_shared<Node>(Node{entry, ""}));
}

// The target is looked for before the link's parents are made.
bool LayerModel::add_link(const SeenEntry& entry) {
  std::vector<std::string> parts = split(entry.link_target);
  if (parts.empty() || std::ranges::find(parts, "..") != parts.end()) return false;
  int links = 0;
  std::string name = parts.back();
  parts.pop_back();
  std::string parents;
  for (const std::string& part : parts) parents = join(parents, part);
  auto at = resolve("", parents, false, links);
  auto found = at ? nodes_.find(join(*at, name)) : nodes_.end();
  std::shared_ptr<Node> target;
  if (found != nodes_.end()) {
    if (found->second->entry.type == 'd') return false;
    target = found->second;
  } else {
    target = std::make_shared<Node>(Node{entry, entry.link_target});
  }
  auto path = place(entry.path);
  return path && put(*path, std::move(target));
}

bool LayerModel::add(const SeenEntry& entry) {
  std::vector<std::string> parts = split(entry.path);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].starts_with(".wh..wh.") && (i + 1 < parts.size() || parts[i] != ".wh..wh..opq")) {
      return true;  // AUFS's own
    }
    if (!parts[i].starts_with(".wh.")) continue;
    if (i + 1 < parts.size()) return false;
    std::string hidden = parts[i].substr(4);
    if (hidden.empty() || hidden == "." || hidden == "..") return false;
    // Of a lower layer: here there is none, but the directories on the way are this one's.
    if (parts[i] == ".wh..wh..opq") hidden = "x";
    return place(entry.path.substr(0, entry.path.rfind('/') + 1) + hidden).has_value();
  }
  if (entry.type == 'h') return add_link(entry);
  auto path = place(entry.path);
  if (!path) return false;
  if (entry.type == 'd') return add_directory(entry, *path);
  return put(*path, std::make_shared<Node>(Node{entry, ""}));
}

std::string line_of(const std::string& path, const SeenEntry& entry) {
  std::string line = "/" + path + " " + entry.type + " " + std::to_string(entry.mode) + " " +
                     std::to_string(entry.uid) + ":" + std::to_string(entry.gid) + " " +
                     std::to_string(entry.mtime_seconds) + "." +
                     std::to_string(entry.mtime_nanoseconds) + " " +
                     std::to_string(entry.device_major) + "," + std::to_string(entry.device_minor) +
                     " " + std::to_string(entry.size);
  if (entry.type == 'l') line += " -> " + entry.link_target;
  for (const auto& [name, value] : entry.xattrs) line += " " + name + "=" + value;
  return line + " " + content_text(entry);
}

std::optional<std::map<std::string, std::string>> LayerModel::lines() const {
  std::map<std::string, std::string> lines;
  std::map<const Node*, std::string> first_names;
  for (const auto& [path, node] : nodes_) {
    if (!node->away.empty()) return std::nullopt;
    std::string line = line_of(path, node->entry);
    auto [first, fresh] = first_names.try_emplace(node.get(), path);
    if (!fresh) line += " is /" + first->second;
    lines[path] = std::move(line);
  }
  return lines;
}

}  // namespace lyr::fuzz
