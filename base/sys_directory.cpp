// SPDX-License-Identifier: Apache-2.0
// The calls of sys_file.h that are more than one system call: directories, whole files, mappings.
#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/sys_file.h"
#include "base/sys_random.h"

namespace lyr::sys {
namespace {

struct LinuxDirent64 {  // getdents64(2)
  uint64_t ino;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[1];
};

constexpr int depth_max = 4096;  // of a tree that remove_all_at takes apart
// Steps that a file is read in: most are of /proc and small, and zeroed memory costs a page fault
// for each 4 KiB.
constexpr size_t read_step_min = 4096;
constexpr size_t read_step_max = 64 << 10;

// Its owner may remove a directory, whatever its mode.
Result<Fd> open_to_remove(const Fd& dir, const char* path) {
  constexpr int flags = O_DIRECTORY | O_NOFOLLOW;
  auto opened = open_at(dir, path, flags | O_RDONLY);
  if (opened || opened.error().code != EACCES) return opened;
  Fd found = TRY(open_at(dir, path, flags | O_PATH));
  std::string link = "/proc/self/fd/" + std::to_string(found.get());
  TRY(chmod_at(cwd(), link.c_str(), 0700));
  return reopen(found, O_RDONLY | O_DIRECTORY);
}

Result<> remove_tree(const Fd& dir, const char* path, int depth) {
  auto removed = unlink_at(dir, path);
  if (removed || removed.error().code == ENOENT) return {};
  int code = removed.error().code;
  // Linux says EISDIR for a directory, POSIX and some file systems EPERM.
  if (code != EISDIR && code != EPERM) return about(std::move(removed), path);
  if (depth > depth_max) return fail(ELOOP, "remove", path);
  auto opened = open_to_remove(dir, path);
  if (!opened)
    return code == EPERM ? about(std::move(removed), path)
                         : about(Result<>(std::unexpected(std::move(opened).error())), path);
  // Names are taken first: removing while reading may make the kernel skip some.
  std::vector<std::string> names;
  auto list = [&] {
    return read_directory(*opened, [&](const DirectoryEntry& entry) {
      names.emplace_back(entry.name);
      return true;
    });
  };
  // True: its mode was in the way, and is no more. Asked again it never is.
  auto open_up = [&](const Result<>& failed) {
    if (failed || failed.error().code != EACCES) return false;
    auto status = stat(*opened);
    return status && (status->st_mode & 0700) != 0700 && chmod(*opened, 0700).has_value();
  };
  auto listed = list();
  if (open_up(listed)) listed = list();
  TRY(std::move(listed));
  for (const std::string& name : names) {
    auto gone = remove_tree(*opened, name.c_str(), depth + 1);
    if (open_up(gone)) gone = remove_tree(*opened, name.c_str(), depth + 1);
    TRY(std::move(gone));
  }
  return about(unlink_at(dir, path, AT_REMOVEDIR), path);
}

struct DiskBytes {
  uint64_t blocks = 0;
  std::set<std::pair<dev_t, ino_t>> several_names;
};

Result<> unless_absent(Error error, const char* path) {
  if (error.code == ENOENT) return {};
  return about(Result<>(std::unexpected(std::move(error))), path);
}

Result<> add_tree(const Fd& dir, const char* path, int depth, DiskBytes& total) {
  auto status = stat_at(dir, path);
  if (!status) return unless_absent(std::move(status).error(), path);
  bool directory = S_ISDIR(status->st_mode);
  bool counted = !directory && status->st_nlink > 1 &&
                 !total.several_names.insert({status->st_dev, status->st_ino}).second;
  if (!counted) total.blocks += static_cast<uint64_t>(status->st_blocks);
  if (!directory) return {};
  if (depth > depth_max) return fail(ELOOP, "disk usage", path);
  auto opened = open_at(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!opened) return unless_absent(std::move(opened).error(), path);
  std::vector<std::string> names;
  TRY(read_directory(*opened, [&](const DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) TRY(add_tree(*opened, name.c_str(), depth + 1, total));
  return {};
}

Result<Mapping> fail_map() { return fail_errno("mmap"); }

std::byte* map(const Fd& fd, size_t bytes, int protection) {
  void* data = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd.get(), 0);
  return data == MAP_FAILED ? nullptr : static_cast<std::byte*>(data);
}

}  // namespace

Result<> remove_all_at(const Fd& dir, const char* path) { return remove_tree(dir, path, 0); }

Result<uint64_t> disk_bytes_at(const Fd& dir, const char* path) {
  DiskBytes total;
  TRY(add_tree(dir, path, 0, total));
  return total.blocks * 512;
}

Result<> read_directory(const Fd& dir, const std::function<bool(const DirectoryEntry&)>& each) {
  Fd handle = TRY(open_at(dir, ".", O_RDONLY | O_DIRECTORY));
  alignas(LinuxDirent64) char buffer[32768];
  for (;;) {
    long length = ::syscall(SYS_getdents64, handle.get(), buffer, sizeof buffer);
    if (length == -1) return fail_errno("getdents64");
    if (length == 0) return {};
    for (long at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const LinuxDirent64*>(buffer + at);
      at += entry->length;
      std::string_view name(entry->name);
      if (name == "." || name == "..") continue;
      if (!each({name, entry->type, entry->ino})) return {};
    }
  }
}

Result<std::string> read_file_at(const Fd& dir, const char* path, size_t bytes_max) {
  Fd file = TRY(about(open_at(dir, path, O_RDONLY), path));
  std::string text;
  for (;;) {
    size_t before = text.size();
    if (before > bytes_max) return fail(EFBIG, "read", path);
    text.resize(before + std::clamp(before, read_step_min, read_step_max));
    auto rest = std::as_writable_bytes(std::span(text)).subspan(before);
    size_t got = TRY(about(read(file, rest), path));
    text.resize(before + got);
    if (got == 0) return text;
  }
}

Result<> replace_file_at(const Fd& dir, const char* path, std::string_view text, mode_t mode) {
  std::string beside = std::string(path) + ".new." + std::to_string(::getpid());
  Fd file = TRY(
      about(open_at(dir, beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode), beside));
  auto written = write_all(file, text);
  if (written) written = rename_at(dir, beside.c_str(), dir, path);
  if (!written) {
    static_cast<void>(unlink_at(dir, beside.c_str()));
    return about(std::move(written), path);
  }
  return {};
}

Result<> link_over(const Fd& fd, const Fd& dir, const char* name) {
  auto linked = link_fd(fd, dir, name);
  if (linked || linked.error().code != EEXIST) return linked;
  // Of a length of its own: `name` may be as long as names can be.
  uint64_t number = TRY(random_u64());
  std::string beside = ".new." + std::to_string(number);
  TRY(link_fd(fd, dir, beside.c_str()));
  auto renamed = rename_at(dir, beside.c_str(), dir, name);
  if (!renamed) static_cast<void>(unlink_at(dir, beside.c_str()));
  return renamed;
}

Result<> make_durable_at(const Fd& dir, const char* name) {
  Fd file = TRY(about(open_at(dir, name, O_RDONLY | O_NOFOLLOW), name));
  TRY(about(fsync(file), name));
  Fd readable = TRY(open_at(dir, ".", O_RDONLY | O_DIRECTORY));
  return fsync(readable);
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Result<Mapping> Mapping::read_only(const Fd& fd, size_t bytes) {
  std::byte* data = map(fd, bytes, PROT_READ);
  if (data == nullptr) return fail_map();
  return Mapping(data, bytes);
}

Result<Mapping> Mapping::shared(const Fd& fd, size_t bytes) {
  std::byte* data = map(fd, bytes, PROT_READ | PROT_WRITE);
  if (data == nullptr) return fail_map();
  return Mapping(data, bytes);
}

Result<Mapping> Mapping::anonymous(size_t bytes) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) return fail_map();
  return Mapping(static_cast<std::byte*>(data), bytes);
}

void Mapping::release() const {
  if (data_ != nullptr) ::madvise(data_, size_, MADV_DONTNEED);
}

Result<> populate(std::span<std::byte> memory) {
  constexpr int populate_write = 23;  // MADV_POPULATE_WRITE, where the C library has no name for it
  auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  uintptr_t begin = reinterpret_cast<uintptr_t>(memory.data()) / page * page;
  uintptr_t end = reinterpret_cast<uintptr_t>(memory.data() + memory.size());
  if (::madvise(reinterpret_cast<void*>(begin), end - begin, populate_write) == -1)
    return fail_errno("madvise");
  return {};
}

}  // namespace lyr::sys
