// SPDX-License-Identifier: Apache-2.0
// Path lookup inside a tree image, as the kernel would do it with the tree as its root.
#include <sys/stat.h>

#include <string>

#include "store/tree.h"

namespace lyr::store {
namespace {

constexpr size_t work_bytes_max = 64 << 10;  // of a path that symlinks keep growing

}  // namespace

Ino resolve(const Tree& tree, std::string_view path, bool follow_last) {
  std::string rest(path);
  Ino at = root_ino;
  for (int links = 0; !rest.empty();) {
    size_t slash = rest.find('/');
    std::string part = rest.substr(0, slash);
    rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (!S_ISDIR(tree.attr(at).mode)) return no_ino;
    if (part == "..") {
      at = tree.parent(at);
      continue;
    }
    Ino next = tree.lookup(at, part);
    if (next == no_ino) return no_ino;
    // What a slash follows, be it the last one, must be a directory.
    bool last = slash == std::string::npos;
    uint32_t mode = tree.attr(next).mode;
    if (!S_ISLNK(mode) || (last && !follow_last)) {
      if (!last && !S_ISDIR(mode)) return no_ino;
      at = next;
      continue;
    }
    if (++links > links_followed_max) return no_ino;
    std::string target(tree.symlink_target(next));
    if (target.starts_with('/')) at = root_ino;
    rest = last ? target : target + "/" + rest;
    if (rest.size() > work_bytes_max) return no_ino;
  }
  return at;
}

}  // namespace lyr::store
