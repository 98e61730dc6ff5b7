// SPDX-License-Identifier: Apache-2.0
#include "fuzz/tree_lines.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/check.h"
#include "fuzz/layer_model.h"
#include "fuzz/seen_entry.h"

namespace lyr::fuzz {
namespace {

class Lister {
 public:
  Lister(const store::Tree& tree, const ReadExtent& read) : tree_(tree), read_(read) {}

  void walk(store::Ino directory, const std::string& path) {
    add(directory, path);
    for (uint32_t i = 0; i < tree_.entry_count(directory); ++i) {
      store::TreeEntry entry = tree_.entry(directory, i);
      CHECK(tree_.lookup(directory, entry.name) == entry.ino);
      std::string name = path.empty() ? std::string(entry.name) : path + "/";
      if (!path.empty()) name += entry.name;
      if (S_ISDIR(tree_.attr(entry.ino).mode)) {
        CHECK(tree_.parent(entry.ino) == directory);
        walk(entry.ino, name);
      } else {
        add(entry.ino, name);
      }
    }
  }

  std::map<std::string, std::string> take() {
    for (auto& [ino, names] : names_) {
      CHECK(tree_.attr(ino).nlink == names.size());
      CHECK(tree_.alias_count(ino) == (names.size() > 1 ? names.size() : 0));
      std::string first = std::ranges::min(names);
      for (const std::string& name : names) {
        if (name != first) lines_[name] += " is /" + first;
      }
    }
    return std::move(lines_);
  }

 private:
  static char type_of(uint32_t mode) {
    switch (mode & S_IFMT) {
      case S_IFDIR:
        return 'd';
      case S_IFLNK:
        return 'l';
      case S_IFCHR:
        return 'c';
      case S_IFBLK:
        return 'b';
      case S_IFIFO:
        return 'p';
      default:
        return 'f';
    }
  }

  void add(store::Ino ino, const std::string& path) {
    store::TreeAttr attr = tree_.attr(ino);
    CHECK(!attr.whiteout);
    SeenEntry seen;
    seen.type = type_of(attr.mode);
    seen.mode = attr.mode & 07777;
    seen.uid = attr.uid;
    seen.gid = attr.gid;
    seen.mtime_seconds = attr.mtime_seconds;
    seen.mtime_nanoseconds = attr.mtime_nanoseconds;
    seen.device_major = attr.device_major;
    seen.device_minor = attr.device_minor;
    if (seen.type == 'f') seen.size = attr.size;
    seen.link_target = tree_.symlink_target(ino);
    for (uint32_t i = 0; i < tree_.xattr_count(ino); ++i) {
      seen.xattrs.emplace(tree_.xattr(ino, i).name, tree_.xattr(ino, i).value);
    }
    if (seen.type == 'f') read(ino, seen);
    if (seen.type != 'd') names_[ino].push_back(path);
    lines_[path] = line_of(path, seen);
  }

  // Only what extents cover: a sparse file may be huge.
  void read(store::Ino ino, SeenEntry& seen) {
    for (uint32_t i = 0; i < tree_.extent_count(ino); ++i) {
      store::Extent extent = tree_.extent(ino, i);
      std::string data = read_(ino, extent);
      CHECK(data.size() == extent.length);
      seen.content.push_back({extent.file_offset, std::move(data)});
    }
  }

  const store::Tree& tree_;
  const ReadExtent& read_;
  std::map<store::Ino, std::vector<std::string>> names_;
  std::map<std::string, std::string> lines_;  // by path
};

}  // namespace

std::map<std::string, std::string> lines_of(const store::Tree& tree, const ReadExtent& read) {
  Lister lister(tree, read);
  lister.walk(store::root_ino, "");
  return lister.take();
}

}  // namespace lyr::fuzz
