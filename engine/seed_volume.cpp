// SPDX-License-Identifier: Apache-2.0
#include "engine/seed_volume.h"

#include <sys/file.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <vector>

#include "base/sys_file.h"
#include "engine/names.h"
#include "unionfs/format.h"

namespace lyr::engine {
namespace {

using store::Ino;

constexpr size_t copy_bytes = 1 << 20;

// Copies one directory of an image into an empty one.
class Seeding {
 public:
  Seeding(const store::Store& store, const store::Tree& image, const Fd& to, bool owners)
      : store_(store), image_(image), to_(to), owners_(owners) {}

  Result<> copy(Ino top) {
    directories_.emplace_back(".", top);
    for (size_t i = 0; i < directories_.size(); ++i) {
      auto [path, ino] = directories_[i];
      TRY(fill(path, ino));
    }
    // From the bottom up: what is made in a directory changes its times.
    for (const auto& [path, ino] : std::views::reverse(directories_)) {
      TRY(dress(to_, path.c_str(), ino));
    }
    return {};
  }

 private:
  Result<> fill(const std::string& path, Ino directory) {
    Fd into = TRY(sys::open_beneath(to_, path.c_str(), O_RDONLY | O_DIRECTORY));
    for (uint32_t i = 0; i < image_.entry_count(directory); ++i) {
      store::TreeEntry entry = image_.entry(directory, i);
      std::string name(entry.name);
      std::string whole = path + "/" + name;
      if (S_ISDIR(image_.attr(entry.ino).mode)) {
        TRY(sys::mkdir_at(into, name.c_str(), 0700));
        directories_.emplace_back(std::move(whole), entry.ino);
      } else {
        TRY(about(add(into, name, entry.ino, whole), whole));
      }
    }
    return {};
  }

  Result<> add(const Fd& into, const std::string& name, Ino ino, const std::string& whole) {
    if (image_.alias_count(ino) > 1) {
      auto [first, fresh] = linked_.try_emplace(ino, whole);
      if (!fresh) return sys::link_at(to_, first->second.c_str(), into, name.c_str());
    }
    store::TreeAttr attr = image_.attr(ino);
    if (S_ISLNK(attr.mode)) {
      std::string target(image_.symlink_target(ino));
      TRY(sys::symlink_at(target.c_str(), into, name.c_str()));
    } else if (S_ISREG(attr.mode)) {
      Fd file = TRY(sys::open_at(into, name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
      TRY(copy_content(ino, attr.size, file));
    } else {
      auto made = sys::mknod_at(into, name.c_str(), attr.mode & S_IFMT,
                                makedev(attr.device_major, attr.device_minor));
      bool device = S_ISCHR(attr.mode) || S_ISBLK(attr.mode);
      // In a user namespace nobody makes devices, nor would they work.
      if (!made && device && made.error().code == EPERM) return {};
      TRY(std::move(made));
    }
    return dress(into, name.c_str(), ino);
  }

  Result<> copy_content(Ino ino, uint64_t size, const Fd& file) {
    for (uint32_t i = 0; i < image_.extent_count(ino); ++i) {
      store::Extent extent = image_.extent(ino, i);
      uint64_t end = extent.file_offset + extent.length;
      for (uint64_t at = extent.file_offset; at < end;) {
        auto piece = std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), end - at));
        size_t got = TRY(store_.read_file(image_, ino, at, piece));
        if (got == 0) return fail(EIO, "read_file");
        TRY(sys::pwrite_all(file, piece.first(got), at));
        at += got;
      }
    }
    return sys::truncate(file, size);
  }

  Result<> dress(const Fd& directory, const char* name, Ino ino) {
    store::TreeAttr attr = image_.attr(ino);
    if (owners_) TRY(sys::chown_at(directory, name, attr.uid, attr.gid));
    if (!S_ISLNK(attr.mode)) TRY(sys::chmod_at(directory, name, attr.mode & 07777));
    if (image_.xattr_count(ino) > 0) {
      Fd object = TRY(sys::open_at(directory, name, O_PATH | O_NOFOLLOW));
      for (uint32_t i = 0; i < image_.xattr_count(ino); ++i) {
        store::TreeXattr xattr = image_.xattr(ino, i);
        bool hidden = unionfs::is_internal_xattr(xattr.name);
        if (hidden && !unionfs::is_unsupported_xattr(xattr.name)) continue;
        auto set = sys::set_xattr(object, unionfs::shown_xattr(xattr.name).c_str(), xattr.value);
        // Not every file system keeps them all, and not everybody may set them.
        bool lost = !set && (set.error().code == EOPNOTSUPP || set.error().code == EPERM);
        lost |= !set && S_ISLNK(attr.mode) && set.error().code == EINVAL;
        if (!set && !lost) return set;
      }
    }
    struct timespec mtime{static_cast<time_t>(attr.mtime_seconds), attr.mtime_nanoseconds};
    struct timespec times[2] = {mtime, mtime};
    return sys::utimens_at(directory, name, times);
  }

  const store::Store& store_;
  const store::Tree& image_;
  const Fd& to_;
  bool owners_;
  std::vector<std::pair<std::string, Ino>> directories_;  // path in the copy, parents first
  std::map<Ino, std::string> linked_;                     // files with several names: the first
  std::vector<std::byte> buffer_ = std::vector<std::byte>(copy_bytes);
};

Result<bool> is_empty(const Fd& volume) {
  Fd data = TRY(sys::open_at(volume, "_data", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  bool empty = true;
  auto look = [&](const sys::DirectoryEntry&) { return empty = false; };
  TRY(sys::read_directory(data, look));
  return empty;
}

// What a command that was killed while it copied has left beside "_data".
Result<> remove_leftovers(const Fd& volume, const sandbox::IdMap& map) {
  std::vector<std::string> names;
  TRY(sys::read_directory(volume, [&](const sys::DirectoryEntry& entry) {
    if (entry.name != "_data") names.emplace_back(entry.name);
    return true;
  }));
  if (names.empty()) return {};
  auto remove = [&]() -> Result<> {
    for (const std::string& name : names) TRY(sys::remove_all_at(volume, name.c_str()));
    return {};
  };
  return sandbox::run_mapped(map, remove);
}

}  // namespace

Result<> seed_volume(const store::Store& store, const store::Tree& image,
                     const std::string& destination, const Fd& volume, const sandbox::IdMap& map) {
  Fd one_at_a_time = TRY(sys::open_at(volume, ".", O_RDONLY | O_DIRECTORY));
  TRY(sys::flock(one_at_a_time, LOCK_EX));
  TRY(remove_leftovers(volume, map));
  Ino from = store::resolve(image, destination, true);
  if (from == store::no_ino || !S_ISDIR(image.attr(from).mode)) return {};
  bool empty = TRY(is_empty(volume));
  if (!empty) return {};
  std::string aside = TRY(make_id());
  auto seed = [&]() -> Result<> {
    TRY(sys::mkdir_at(volume, aside.c_str(), 0700));
    Fd to = TRY(sys::open_at(volume, aside.c_str(), O_RDONLY | O_DIRECTORY));
    TRY(Seeding(store, image, to, !map.single).copy(from));
    auto renamed = sys::rename_at(volume, aside.c_str(), volume, "_data");
    // Someone has filled it meanwhile: what is there stays.
    bool filled = !renamed && (renamed.error().code == ENOTEMPTY || renamed.error().code == EEXIST);
    if (filled) return sys::remove_all_at(volume, aside.c_str());
    return renamed;
  };
  auto seeded = sandbox::run_mapped(map, seed);
  if (!seeded) {
    auto remove = [&] { return sys::remove_all_at(volume, aside.c_str()); };
    static_cast<void>(sandbox::run_mapped(map, remove));
  }
  return seeded;
}

}  // namespace lyr::engine
