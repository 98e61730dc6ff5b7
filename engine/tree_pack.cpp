// SPDX-License-Identifier: Apache-2.0
// Walks what is to be copied, and packs it.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "engine/tar_packer.h"
#include "engine/tree_copy.h"

namespace lyr::engine {
namespace {

constexpr int depth_max = 200;  // each level holds a descriptor
constexpr int links_in_a_row_max = 40;

class TreePacker {
 public:
  explicit TreePacker(const Fd& tar) : packer_(tar, Keep::usual) {}

  Result<> add(const Fd& parent, const std::string& base, const std::string& name, int depth) {
    auto info = TRY(about(sys::stat_at(parent, base.c_str()), name));
    if (S_ISDIR(info.st_mode) && depth > depth_max)
      return fail_saying(ELOOP, name + " is nested too deep");
    TRY(packer_.add(parent, base, name, info, {info.st_dev, info.st_ino}));
    return S_ISDIR(info.st_mode) ? add_inside(parent, base, name, depth) : Result<>();
  }

  Result<> finish() { return packer_.finish(); }

 private:
  Result<> add_inside(const Fd& parent, const std::string& base, const std::string& name,
                      int depth) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
    Fd directory = TRY(about(sys::open_at(parent, base.c_str(), flags), name));
    bool of_kernel = TRY(shows_the_kernel(directory));
    if (depth > 0 && (of_kernel || name == "./dev")) return {};
    std::vector<std::string> entries;
    TRY(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
      entries.emplace_back(entry.name);
      return true;
    }));
    std::ranges::sort(entries);
    for (const std::string& entry : entries) {
      auto added = add(directory, entry, name + "/" + entry, depth + 1);
      // What goes away meanwhile is not there.
      if (!added && added.error().code != ENOENT) return added;
    }
    return {};
  }

  // What is in /proc, /sys and /dev is no file of the container's: not copied, as with docker cp,
  // unless it is named.
  static Result<bool> shows_the_kernel(const Fd& directory) {
    for (long magic : {PROC_SUPER_MAGIC, SYSFS_MAGIC}) {
      bool there = TRY(sys::is_on_file_system(directory, magic));
      if (there) return true;
    }
    return false;
  }

  TarPacker packer_;
};

struct Place {
  Fd parent;
  std::string base;
};

// The directory that holds `path`, and its name there: "." for the root and what ends in dots.
Result<Place> place_of(const Fd& root, std::string path) {
  while (path.ends_with('/') || path.ends_with("/.")) path.pop_back();
  size_t slash = path.rfind('/');
  std::string base = slash == path.npos ? path : path.substr(slash + 1);
  bool itself = base.empty() || base == "." || base == "..";
  std::string parent = itself ? "/" + path : "/" + path.substr(0, slash == path.npos ? 0 : slash);
  Place place;
  place.parent = TRY(about(sys::open_in_root(root, parent.c_str(), O_RDONLY | O_DIRECTORY), path));
  place.base = itself ? "." : base;
  return place;
}

}  // namespace

Result<> pack_tree(const Fd& root, std::string_view path, bool follow_link, const Fd& tar) {
  std::string at(path);
  follow_link = follow_link || path.ends_with('/');
  Place place = TRY(place_of(root, at));
  std::string name = place.base;
  for (int links = 0; follow_link; ++links) {
    auto info = TRY(about(sys::stat_at(place.parent, place.base.c_str()), at));
    if (!S_ISLNK(info.st_mode)) break;
    if (links == links_in_a_row_max) return about(Result<>(fail(ELOOP, "follow")), path);
    std::string target = TRY(sys::readlink_at(place.parent, place.base.c_str()));
    while (at.ends_with('/')) at.pop_back();
    at = target.starts_with('/') ? target : at.substr(0, at.rfind('/') + 1) + target;
    place = TRY(place_of(root, at));
  }
  auto there = sys::stat_at(place.parent, place.base.c_str());
  if (!there) return about(Result<>(std::unexpected(std::move(there).error())), path);
  TreePacker packer(tar);
  TRY(packer.add(place.parent, place.base, name, 0));
  return packer.finish();
}

}  // namespace lyr::engine
