// SPDX-License-Identifier: Apache-2.0
#include "base/sys_file.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/sys_call.h"

namespace lyr::sys {
namespace {

template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

Result<size_t> count(ssize_t result, const char* call) {
  if (result == -1) return fail_errno(call);
  return static_cast<size_t>(result);
}

Result<Fd> open_resolved(const Fd& dir, const char* path, int flags, mode_t mode,
                         uint64_t resolve) {
  struct open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: a rename raced with the walk of "..": the kernel asks for another try (openat2(2)).
  for (int tries = 0;; ++tries) {
    long result = retry([&] { return ::syscall(SYS_openat2, dir.get(), path, &how, sizeof how); });
    if (result == -1 && errno == EAGAIN && tries < 64) continue;
    return descriptor(result, "openat2");
  }
}

struct ProcPath {
  explicit ProcPath(const Fd& fd) {
    std::snprintf(text, sizeof text, "/proc/self/fd/%d", fd.get());
  }
  char text[40];
};

// The xattr calls refuse O_PATH descriptors (EBADF); these are named by /proc/self/fd.
template <class ByDescriptor, class ByPath>
auto on_any(const Fd& fd, ByDescriptor by_descriptor, ByPath by_path) {
  auto result = by_descriptor(fd.get());
  if (result != -1 || errno != EBADF) return result;
  return by_path(ProcPath(fd).text);
}

}  // namespace

const Fd& cwd() {
  static const Fd* const current = new Fd(AT_FDCWD);  // never destroyed, so never "closed"
  return *current;
}

Result<Fd> open(const char* path, int flags, mode_t mode) {
  return open_at(cwd(), path, flags, mode);
}

Result<Fd> open_at(const Fd& dir, const char* path, int flags, mode_t mode) {
  int result = retry([&] { return ::openat(dir.get(), path, flags | O_CLOEXEC, mode); });
  return descriptor(result, "open");
}

Result<Fd> open_beneath(const Fd& dir, const char* path, int flags, mode_t mode) {
  return open_resolved(dir, path, flags, mode, RESOLVE_BENEATH);
}

Result<Fd> open_in_root(const Fd& dir, const char* path, int flags, mode_t mode) {
  return open_resolved(dir, path, flags, mode, RESOLVE_IN_ROOT);
}

Result<Fd> open_no_links(const Fd& dir, const char* path, int flags) {
  return open_resolved(dir, path, flags, 0,
                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

Result<Fd> reopen(const Fd& fd, int flags) {
  ProcPath path(fd);
  int result = retry([&] { return ::open(path.text, flags | O_CLOEXEC); });
  return descriptor(result, "open");
}

Result<Fd> dup(const Fd& fd, int from) {
  return descriptor(::fcntl(fd.get(), F_DUPFD_CLOEXEC, from), "fcntl(F_DUPFD_CLOEXEC)");
}

std::string path_of(const Fd& fd) { return ProcPath(fd).text; }

Result<std::string> working_directory() {
  char path[4096];
  if (::getcwd(path, sizeof path) == nullptr) return fail_errno("getcwd");
  return std::string(path);
}

Result<Fd> open_unnamed(const Fd& dir, int flags, mode_t mode) {
  return open_at(dir, ".", flags | O_TMPFILE, mode);
}

Result<> link_fd(const Fd& fd, const Fd& dir, const char* name) {
  ProcPath path(fd);
  return check(::linkat(AT_FDCWD, path.text, dir.get(), name, AT_SYMLINK_FOLLOW), "linkat");
}

Result<> mkdir_at(const Fd& dir, const char* path, mode_t mode) {
  return check(::mkdirat(dir.get(), path, mode), "mkdir");
}

Result<> mkdir_all_at(const Fd& dir, std::string_view path, mode_t mode) {
  for (size_t end = 0; end != std::string_view::npos;) {
    end = path.find('/', end + 1);
    std::string prefix(path.substr(0, end));
    auto made = mkdir_at(dir, prefix.c_str(), mode);
    if (!made && made.error().code != EEXIST) return about(std::move(made), prefix);
  }
  return {};
}

Result<> mknod_at(const Fd& dir, const char* path, mode_t mode, dev_t device) {
  return check(::mknodat(dir.get(), path, mode, device), "mknod");
}

Result<> unlink_at(const Fd& dir, const char* path, int flags) {
  return check(::unlinkat(dir.get(), path, flags), "unlink");
}

Result<> rename_at(const Fd& from_dir, const char* from, const Fd& to_dir, const char* to,
                   unsigned flags) {
  return check(::renameat2(from_dir.get(), from, to_dir.get(), to, flags), "rename");
}

Result<> link_at(const Fd& from_dir, const char* from, const Fd& to_dir, const char* to,
                 int flags) {
  return check(::linkat(from_dir.get(), from, to_dir.get(), to, flags), "link");
}

Result<> symlink_at(const char* target, const Fd& dir, const char* path) {
  return check(::symlinkat(target, dir.get(), path), "symlink");
}

Result<std::string> readlink_at(const Fd& dir, const char* path) {
  std::string target(256, '\0');
  for (;;) {
    ssize_t length = ::readlinkat(dir.get(), path, target.data(), target.size());
    if (length == -1) return fail_errno("readlink");
    if (static_cast<size_t>(length) < target.size()) {
      target.resize(static_cast<size_t>(length));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

Result<struct stat> stat(const Fd& fd) {
  struct stat status{};
  if (::fstat(fd.get(), &status) == -1) return fail_errno("fstat");
  return status;
}

Result<struct stat> stat_at(const Fd& dir, const char* path, int flags) {
  struct stat status{};
  if (::fstatat(dir.get(), path, &status, flags) == -1) return fail_errno("stat");
  return status;
}

Result<struct statx> statx_at(const Fd& dir, const char* path, int flags, unsigned mask) {
  struct statx status{};
  if (::statx(dir.get(), path, flags, mask, &status) == -1) return fail_errno("statx");
  return status;
}

Result<struct statvfs> stat_vfs(const Fd& fd) {
  struct statvfs status{};
  if (retry([&] { return ::fstatvfs(fd.get(), &status); }) == -1) return fail_errno("fstatvfs");
  return status;
}

Result<bool> exists_at(const Fd& dir, const char* path) {
  auto status = stat_at(dir, path);
  if (status) return true;
  if (status.error().code == ENOENT || status.error().code == ENOTDIR) return false;
  return std::unexpected(std::move(status).error());
}

bool is_writable(const char* path) { return ::faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0; }

Result<bool> is_on_file_system(const Fd& fd, long magic) {
  struct statfs status{};
  if (retry([&] { return ::fstatfs(fd.get(), &status); }) == -1) return fail_errno("fstatfs");
  return status.f_type == magic;
}

Result<> chmod(const Fd& fd, mode_t mode) { return check(::fchmod(fd.get(), mode), "chmod"); }

Result<> chmod_at(const Fd& dir, const char* path, mode_t mode) {
  return check(::fchmodat(dir.get(), path, mode, 0), "chmod");
}

Result<> chown(const Fd& fd, uid_t uid, gid_t gid) {
  return check(::fchown(fd.get(), uid, gid), "chown");
}

Result<> chown_at(const Fd& dir, const char* path, uid_t uid, gid_t gid, int flags) {
  return check(::fchownat(dir.get(), path, uid, gid, flags), "chown");
}

Result<> utimens(const Fd& fd, const struct timespec times[2]) {
  return check(::futimens(fd.get(), times), "futimens");
}

Result<> utimens_at(const Fd& dir, const char* path, const struct timespec times[2], int flags) {
  return check(::utimensat(dir.get(), path, times, flags), "utimensat");
}

Result<size_t> read(const Fd& fd, std::span<std::byte> data) {
  return count(retry([&] { return ::read(fd.get(), data.data(), data.size()); }), "read");
}

Result<size_t> write(const Fd& fd, std::span<const std::byte> data) {
  return count(retry([&] { return ::write(fd.get(), data.data(), data.size()); }), "write");
}

Result<size_t> pread(const Fd& fd, std::span<std::byte> data, uint64_t offset) {
  auto at = static_cast<off_t>(offset);
  return count(retry([&] { return ::pread(fd.get(), data.data(), data.size(), at); }), "read");
}

Result<size_t> pwrite(const Fd& fd, std::span<const std::byte> data, uint64_t offset) {
  auto at = static_cast<off_t>(offset);
  return count(retry([&] { return ::pwrite(fd.get(), data.data(), data.size(), at); }), "write");
}

Result<> read_exactly(const Fd& fd, std::span<std::byte> data) {
  while (!data.empty()) {
    size_t got = TRY(read(fd, data));
    if (got == 0) return fail(EIO, "read");
    data = data.subspan(got);
  }
  return {};
}

Result<> pread_exactly(const Fd& fd, std::span<std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    size_t got = TRY(pread(fd, data, offset));
    if (got == 0) return fail(EIO, "read");
    data = data.subspan(got);
    offset += got;
  }
  return {};
}

Result<> write_all(const Fd& fd, std::span<const std::byte> data) {
  while (!data.empty()) data = data.subspan(TRY(write(fd, data)));
  return {};
}

Result<> write_all(const Fd& fd, std::string_view text) {
  return write_all(fd, std::as_bytes(std::span(text)));
}

Result<> pwrite_all(const Fd& fd, std::span<const std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    size_t done = TRY(pwrite(fd, data, offset));
    data = data.subspan(done);
    offset += done;
  }
  return {};
}

Result<> pwritev_all(const Fd& fd, std::span<const std::span<const std::byte>> parts,
                     uint64_t offset) {
  std::array<iovec, 256> vectors;
  size_t skipped = 0;  // of the first part: written already
  while (!parts.empty()) {
    size_t used = std::min(parts.size(), vectors.size());
    for (size_t i = 0; i < used; ++i) {
      auto part = i == 0 ? parts[i].subspan(skipped) : parts[i];
      vectors[i] = {.iov_base = const_cast<std::byte*>(part.data()), .iov_len = part.size()};
    }
    auto call = [&] {
      return ::pwritev(fd.get(), vectors.data(), static_cast<int>(used),
                       static_cast<off_t>(offset));
    };
    size_t done = TRY(count(retry(call), "write"));
    offset += done;
    skipped += done;
    while (!parts.empty() && skipped >= parts.front().size()) {
      skipped -= parts.front().size();
      parts = parts.subspan(1);
    }
  }
  return {};
}

Result<> fsync(const Fd& fd) {
  return check(retry([&] { return ::fsync(fd.get()); }), "fsync");
}

Result<> fdatasync(const Fd& fd) {
  return check(retry([&] { return ::fdatasync(fd.get()); }), "fdatasync");
}

Result<> start_writeback(const Fd& fd, uint64_t offset, uint64_t length) {
  auto call = [&] {
    return ::sync_file_range(fd.get(), static_cast<off64_t>(offset), static_cast<off64_t>(length),
                             SYNC_FILE_RANGE_WRITE);
  };
  return check(retry(call), "sync_file_range");
}

Result<> truncate(const Fd& fd, uint64_t size) {
  return check(retry([&] { return ::ftruncate(fd.get(), static_cast<off_t>(size)); }), "truncate");
}

Result<> fallocate(const Fd& fd, int mode, uint64_t offset, uint64_t length) {
  auto call = [&] {
    return ::fallocate(fd.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length));
  };
  return check(retry(call), "fallocate");
}

Result<uint64_t> seek(const Fd& fd, uint64_t offset, int whence) {
  off_t at = ::lseek(fd.get(), static_cast<off_t>(offset), whence);
  if (at == -1) return fail_errno("lseek");
  return static_cast<uint64_t>(at);
}

Result<size_t> copy_file_range(const Fd& from, uint64_t from_offset, const Fd& to,
                               uint64_t to_offset, size_t length) {
  auto in = static_cast<off64_t>(from_offset);
  auto out = static_cast<off64_t>(to_offset);
  auto call = [&] { return ::copy_file_range(from.get(), &in, to.get(), &out, length, 0); };
  return count(retry(call), "copy_file_range");
}

Result<> clone_content(const Fd& from, const Fd& to) {
  return check(retry([&] { return ::ioctl(to.get(), FICLONE, from.get()); }), "FICLONE");
}

Result<uint32_t> file_flags(const Fd& fd) {
  uint32_t flags = 0;  // whatever the request's number says of its size
  TRY(check(::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags), "FS_IOC_GETFLAGS"));
  return flags;
}

Result<> set_file_flags(const Fd& fd, uint32_t flags) {
  return check(::ioctl(fd.get(), FS_IOC_SETFLAGS, &flags), "FS_IOC_SETFLAGS");
}

Result<struct fsxattr> extended_flags(const Fd& fd) {
  struct fsxattr flags{};
  TRY(check(::ioctl(fd.get(), FS_IOC_FSGETXATTR, &flags), "FS_IOC_FSGETXATTR"));
  return flags;
}

Result<> set_extended_flags(const Fd& fd, const struct fsxattr& flags) {
  return check(::ioctl(fd.get(), FS_IOC_FSSETXATTR, &flags), "FS_IOC_FSSETXATTR");
}

Result<> flock(const Fd& fd, int operation) {
  return check(retry([&] { return ::flock(fd.get(), operation); }), "flock");
}

Result<> lock_byte(const Fd& fd, short type, uint64_t offset) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(offset);
  lock.l_len = 1;
  auto locked = check(retry([&] { return ::fcntl(fd.get(), F_OFD_SETLK, &lock); }), "fcntl");
  // POSIX lets a file system choose.
  if (!locked && locked.error().code == EACCES) locked.error().code = EWOULDBLOCK;
  return locked;
}

Result<std::string> get_xattr(const Fd& fd, const char* name) {
  auto get = [&](char* to, size_t size) {
    return on_any(
        fd, [&](int number) { return ::fgetxattr(number, name, to, size); },
        [&](const char* path) { return ::getxattr(path, name, to, size); });
  };
  std::string value(256, '\0');
  for (;;) {
    ssize_t length = get(value.data(), value.size());
    if (length >= 0) {
      value.resize(static_cast<size_t>(length));
      return value;
    }
    if (errno != ERANGE) return fail_errno("getxattr");
    ssize_t wanted = get(nullptr, 0);
    if (wanted == -1) return fail_errno("getxattr");
    value.resize(static_cast<size_t>(wanted) + 64);
  }
}

Result<> set_xattr(const Fd& fd, const char* name, std::string_view value, int flags) {
  const char* bytes = value.data();
  int result = on_any(
      fd, [&](int number) { return ::fsetxattr(number, name, bytes, value.size(), flags); },
      [&](const char* path) { return ::setxattr(path, name, bytes, value.size(), flags); });
  return check(result, "setxattr");
}

Result<> remove_xattr(const Fd& fd, const char* name) {
  int result = on_any(
      fd, [&](int number) { return ::fremovexattr(number, name); },
      [&](const char* path) { return ::removexattr(path, name); });
  return check(result, "removexattr");
}

Result<std::vector<std::string>> list_xattrs(const Fd& fd) {
  std::string list(1024, '\0');
  for (;;) {
    ssize_t length = on_any(
        fd, [&](int number) { return ::flistxattr(number, list.data(), list.size()); },
        [&](const char* path) { return ::listxattr(path, list.data(), list.size()); });
    if (length >= 0) {
      list.resize(static_cast<size_t>(length));
      break;
    }
    if (errno != ERANGE) return fail_errno("listxattr");
    list.resize(list.size() * 4);
  }
  std::vector<std::string> names;
  for (size_t at = 0; at < list.size(); at += names.back().size() + 1) {
    names.emplace_back(list.c_str() + at);
  }
  return names;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

}  // namespace lyr::sys
