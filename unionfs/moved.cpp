// SPDX-License-Identifier: Apache-2.0
// Where the union shows the lower's directories. Most are where the image has them; one that was
// renamed took its lower part along, and is remembered here: a file with names in it must be found
// by all of them, also by those that nobody has looked up.
#include <dirent.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

// The directories below `root` that have a redirect, by path.
Result<std::vector<std::string>> redirected(const Fd& root) {
  std::vector<std::string> found;
  std::vector<std::string> open{"."};
  while (!open.empty()) {
    std::string path = std::move(open.back());
    open.pop_back();
    auto directory = sys::open_beneath(root, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!directory && directory.error().code == ENOTDIR) continue;  // its type was not listed
    if (!directory) return std::unexpected(std::move(directory).error());
    auto marks = TRY(read_marks(*directory));
    if (!marks.redirect.empty()) found.push_back(path);
    auto take = [&](const sys::DirectoryEntry& entry) {
      if (entry.type == DT_DIR || entry.type == DT_UNKNOWN)
        open.push_back(path + "/" + std::string(entry.name));
      return true;
    };
    TRY(sys::read_directory(*directory, take));
  }
  return found;
}

}  // namespace

// Moves of earlier mounts: one walk over the upper, when first something is not in its place.
Result<> Union::find_moved() {
  if (moved_known_) return {};
  auto paths = TRY(redirected(*upper_.root()));
  for (std::string_view path : paths) {
    Node* at = &nodes_.root();
    path.remove_prefix(std::min(path.size(), std::string_view("./").size()));
    while (!path.empty() && at != nullptr && at->type == S_IFDIR) {
      size_t end = std::min(path.find('/'), path.size());
      at = TRY(child(*at, path.substr(0, end)));
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    if (at != nullptr && at->type == S_IFDIR) keep_moved(*at);
  }
  moved_known_ = true;
  return {};
}

// The node stays as long as it is remembered: a reference like the kernel's.
void Union::keep_moved(Node& directory) {
  if (directory.lower == no_ino || directory.id == root_id) return;
  bool fresh = moved_.try_emplace(directory.lower, &directory).second;
  if (fresh) NodeTable::pin(directory);
}

void Union::lose_moved(Node& directory) {
  auto kept = moved_.find(directory.lower);
  if (kept == moved_.end() || kept->second != &directory) return;
  moved_.erase(kept);
  NodeTable::unpin(directory);
}

// Null: the union does not show it.
Result<Node*> Union::union_directory(Ino lower) {
  auto moved = moved_.find(lower);
  if (moved != moved_.end()) return moved->second;
  if (lower == root_ino) return nodes_.root().lower == root_ino ? &nodes_.root() : nullptr;
  Node* parent = TRY(union_directory(lower_->parent(lower)));
  Node* at = nullptr;
  if (parent != nullptr && parent->lower == lower_->parent(lower))
    at = TRY(child(*parent, lower_->name(lower)));
  if (at != nullptr && at->type == S_IFDIR && at->lower == lower) return at;
  if (moved_known_) return nullptr;
  TRY(find_moved());
  return union_directory(lower);
}

}  // namespace lyr::unionfs
