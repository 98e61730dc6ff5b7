// SPDX-License-Identifier: Apache-2.0
// A copy gets its name when it is whole and on disk. It has the modification time that its name
// says, so that one glance tells whether anybody wrote to it since; its access time is when it was
// last used. Whether its blocks are what was written, a scrub finds out.
#include "store/hot_files.h"

#include <linux/fs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <vector>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::store {
namespace {

constexpr char directory_name[] = "hot";

std::string path_of(const Digest& name) { return std::string(directory_name) + "/" + name.hex(); }

// As every file system keeps it: a second before 2004, and hundreds of nanoseconds.
struct timespec time_of(const Digest& name) {
  uint32_t words[2];
  std::memcpy(words, name.bytes.data(), sizeof words);
  return {.tv_sec = words[0] >> 2, .tv_nsec = words[1] % 10'000'000 * 100};
}

bool is_as_made(const struct stat& status, const Digest& name, uint64_t size) {
  struct timespec time = time_of(name);
  return S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
         static_cast<uint64_t>(status.st_size) == size && status.st_mtim.tv_sec == time.tv_sec &&
         status.st_mtim.tv_nsec == time.tv_nsec;
}

// On btrfs, files written in place, which have no checksums, share blocks only with each other; and
// what is made in the store's directory is of that kind (store.cpp).
void write_alike(const Fd& like, const Fd& file) {
  auto flags_of = [](const Fd& fd) -> Result<unsigned> {
    unsigned flags = 0;
    TRY(sys::ioctl(fd, FS_IOC_GETFLAGS, reinterpret_cast<unsigned long>(&flags)));
    return flags;
  };
  auto wanted = flags_of(like);
  auto flags = flags_of(file);
  if (!wanted || !flags || ((*wanted ^ *flags) & FS_NOCOW_FL) == 0) return;
  *flags ^= FS_NOCOW_FL;
  static_cast<void>(sys::ioctl(file, FS_IOC_SETFLAGS, reinterpret_cast<unsigned long>(&*flags)));
}

Result<> try_reflink(const Fd& store, const Fd& to) {
  Fd empty = TRY(sys::open_unnamed(store, O_RDWR, 0600));
  write_alike(to, empty);
  return sys::clone_content(empty, to);
}

// What the file system says of itself; a full disk says nothing of it.
bool is_for_good(int code) {
  return code == EOPNOTSUPP || code == EXDEV || code == EINVAL || code == ENOTTY || code == ENOSYS;
}

void add(Sha256& hasher, std::initializer_list<uint64_t> words) {
  hasher.update(std::as_bytes(std::span(words.begin(), words.size())));
}

}  // namespace

Digest hot_name(const Tree& tree, Ino ino) {
  Sha256 hasher;
  uint32_t count = tree.extent_count(ino);
  add(hasher, {tree.attr(ino).size, count});
  for (uint32_t i = 0; i < count; ++i) {
    Extent extent = tree.extent(ino, i);
    add(hasher, {extent.file_offset, extent.length, extent.object_offset});
    hasher.update(std::as_bytes(std::span(extent.object.sha256.bytes)));
  }
  return hasher.finish();
}

// Asked once: where it is "no", large files cost no call more than small ones from then on.
bool HotFiles::has_reflinks(const Fd& to) {
  Reflinks known = reflinks_;
  if (known == Reflinks::unknown) {
    auto shared = try_reflink(store_, to);
    if (!shared && !is_for_good(shared.error().code)) return false;
    known = shared ? Reflinks::some : Reflinks::none;
    reflinks_ = known;
  }
  return known == Reflinks::some;
}

Result<Fd> HotFiles::open(const Digest& name, uint64_t size) const {
  Fd file = TRY(sys::open_at(store_, path_of(name).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  auto status = TRY(sys::stat(file));
  if (!is_as_made(status, name, size)) return fail(EUCLEAN, "hot file", name.hex());
  return file;
}

Result<> HotFiles::try_clone(const Digest& name, uint64_t size, const Fd& to) const {
  Fd file = TRY(open(name, size));
  auto cloned = sys::clone_content(file, to);
  if (!cloned) {
    static_cast<void>(sys::truncate(to, 0));
    return cloned;
  }
  struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  static_cast<void>(sys::utimens(file, times));
  return {};
}

bool HotFiles::clone_to(const Tree& tree, Ino ino, const Fd& to) {
  uint64_t size = tree.attr(ino).size;
  if (size < hot_bytes_min || !has_reflinks(to)) return false;
  Digest name = hot_name(tree, ino);
  auto cloned = try_clone(name, size, to);
  if (cloned) return true;
  // One that is whole, and can be shared, may take its place.
  if (cloned.error().code == EUCLEAN || cloned.error().code == EINVAL) remove(name);
  return false;
}

Result<uint64_t> HotFiles::budget_bytes() const {
  auto status = TRY(sys::stat_vfs(store_));
  uint64_t free_bytes = uint64_t{status.f_bavail} * status.f_frsize;
  return std::min(limits_.bytes_max, free_bytes / limits_.free_divisor);
}

Result<Fd> HotFiles::open_directory() const {
  return sys::open_at(store_, directory_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<> HotFiles::try_keep(const Digest& name, uint64_t size, const Fd& whole) const {
  uint64_t budget = TRY(budget_bytes());
  if (size > budget) return {};
  Fd file = TRY(sys::open_unnamed(store_, O_RDWR, 0400));
  write_alike(whole, file);
  TRY(sys::clone_content(whole, file));
  struct timespec times[2] = {{0, UTIME_NOW}, time_of(name)};
  TRY(sys::utimens(file, times));
  auto status = TRY(sys::stat(file));
  if (!is_as_made(status, name, size)) return fail(EUCLEAN, "hot file", name.hex());
  TRY(sys::fsync(file));
  auto made = sys::mkdir_at(store_, directory_name, 0700);
  if (!made && made.error().code != EEXIST) return made;
  Fd directory = TRY(open_directory());
  TRY(sys::link_fd(file, directory, name.hex().c_str()));
  trim(budget);
  return {};
}

void HotFiles::keep(const Tree& tree, Ino ino, const Fd& whole) {
  uint64_t size = tree.attr(ino).size;
  if (size < hot_bytes_min || reflinks_ != Reflinks::some) return;
  static_cast<void>(try_keep(hot_name(tree, ino), size, whole));
}

// Whoever comes last of several that do this at once sees what all of them made.
void HotFiles::trim(uint64_t budget) const {
  struct Copy {
    struct timespec used;
    uint64_t bytes;
    Digest name;
  };
  std::vector<Copy> copies;
  uint64_t total = 0;
  auto look = [&](const std::string& file, const struct stat& status) {
    auto name = Digest::parse_hex(file);
    if (!name) return;
    copies.push_back({status.st_atim, static_cast<uint64_t>(status.st_size), *name});
    total += copies.back().bytes;
  };
  static_cast<void>(each_file(look));
  auto when = [](const Copy& copy) { return std::tuple(copy.used.tv_sec, copy.used.tv_nsec); };
  std::ranges::sort(copies, {}, when);
  for (const Copy& copy : copies) {
    if (total <= budget) break;
    remove(copy.name);
    total -= copy.bytes;
  }
}

Result<> HotFiles::each_file(const FileSink& each) const {
  auto opened = open_directory();
  if (!opened && opened.error().code == ENOENT) return {};
  auto directory = TRY(about(std::move(opened), directory_name));
  std::vector<std::string> files;
  auto take = [&](const sys::DirectoryEntry& entry) {
    files.emplace_back(entry.name);
    return true;
  };
  TRY(about(sys::read_directory(directory, take), directory_name));
  for (const std::string& file : files) {
    auto status = sys::stat_at(directory, file.c_str());
    if (status) each(file, *status);
  }
  return {};
}

Result<std::map<Digest, uint64_t>> HotFiles::files() const {
  std::map<Digest, uint64_t> files;
  auto take = [&](const std::string& file, const struct stat& status) {
    auto name = Digest::parse_hex(file);
    if (name) files.emplace(*name, static_cast<uint64_t>(status.st_blocks) * 512);
  };
  TRY(each_file(take));
  return files;
}

void HotFiles::remove(const Digest& name) const {
  static_cast<void>(sys::unlink_at(store_, path_of(name).c_str()));
}

}  // namespace lyr::store
