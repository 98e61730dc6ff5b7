// SPDX-License-Identifier: Apache-2.0
// One wrapper per file system call. EINTR, O_CLOEXEC and errno are dealt with here and nowhere
// else. All are thread-safe; all block as the call they wrap does; errors carry errno and the
// call's name.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

struct fsxattr;  // of linux/fs.h

namespace lyr::sys {

// The current directory for the *_at calls (AT_FDCWD), as an Fd that owns nothing.
const Fd& cwd();

Result<Fd> open(const char* path, int flags, mode_t mode = 0);
Result<Fd> open_at(const Fd& dir, const char* path, int flags, mode_t mode = 0);
// openat2 with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS: leaving `dir` fails with EXDEV.
Result<Fd> open_beneath(const Fd& dir, const char* path, int flags, mode_t mode = 0);
// openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: `dir` is "/" to every link and "..".
Result<Fd> open_in_root(const Fd& dir, const char* path, int flags, mode_t mode = 0);
// open_beneath that follows no symlink (ELOOP) and enters no mount (EXDEV); with O_PATH |
// O_NOFOLLOW the last name may be a symlink, and is what is opened.
Result<Fd> open_no_links(const Fd& dir, const char* path, int flags);
// A new open file description of what an O_PATH (or any) fd refers to, through /proc/self/fd.
Result<Fd> reopen(const Fd& fd, int flags);
// A second descriptor of the same open file, the lowest free number from `from` on.
Result<Fd> dup(const Fd& fd, int from = 0);
// A path that leads to what `fd` refers to, in this process and while it is open: for libraries
// that take no descriptor.
std::string path_of(const Fd& fd);
// The current directory, absolute.
Result<std::string> working_directory();
// An unnamed file in `dir` (O_TMPFILE); link_fd gives it a name.
Result<Fd> open_unnamed(const Fd& dir, int flags, mode_t mode);
Result<> link_fd(const Fd& fd, const Fd& dir, const char* name);
// link_fd, in the place of a file that has the name: at any moment there is the one or the other.
Result<> link_over(const Fd& fd, const Fd& dir, const char* name);

Result<> mkdir_at(const Fd& dir, const char* path, mode_t mode);
// mkdir -p beneath `dir`; what exists is kept.
Result<> mkdir_all_at(const Fd& dir, std::string_view path, mode_t mode);
Result<> mknod_at(const Fd& dir, const char* path, mode_t mode, dev_t device);
Result<> unlink_at(const Fd& dir, const char* path, int flags = 0);
// Removes `path` and all below it, never following a symlink nor leaving `dir`; absent is success.
Result<> remove_all_at(const Fd& dir, const char* path);
// Blocks on disk of `path` and all below it, in bytes, as du counts: a file with several names
// once, no symlink followed. Absent, or going away meanwhile: 0.
Result<uint64_t> disk_bytes_at(const Fd& dir, const char* path);
Result<> rename_at(const Fd& from_dir, const char* from, const Fd& to_dir, const char* to,
                   unsigned flags = 0);
Result<> link_at(const Fd& from_dir, const char* from, const Fd& to_dir, const char* to,
                 int flags = 0);
Result<> symlink_at(const char* target, const Fd& dir, const char* path);
Result<std::string> readlink_at(const Fd& dir, const char* path);

Result<struct stat> stat(const Fd& fd);
Result<struct stat> stat_at(const Fd& dir, const char* path, int flags = AT_SYMLINK_NOFOLLOW);
Result<struct statx> statx_at(const Fd& dir, const char* path, int flags, unsigned mask);
Result<struct statvfs> stat_vfs(const Fd& fd);
// Whether `path` exists; only ENOENT and ENOTDIR are "no".
Result<bool> exists_at(const Fd& dir, const char* path);

// By our effective ids, as an open for writing would find it.
bool is_writable(const char* path);
// Whether `fd` is on a file system of this magic number (linux/magic.h).
Result<bool> is_on_file_system(const Fd& fd, long magic);

Result<> chmod(const Fd& fd, mode_t mode);
Result<> chmod_at(const Fd& dir, const char* path, mode_t mode);
Result<> chown(const Fd& fd, uid_t uid, gid_t gid);
Result<> chown_at(const Fd& dir, const char* path, uid_t uid, gid_t gid,
                  int flags = AT_SYMLINK_NOFOLLOW);
Result<> utimens(const Fd& fd, const struct timespec times[2]);
Result<> utimens_at(const Fd& dir, const char* path, const struct timespec times[2],
                    int flags = AT_SYMLINK_NOFOLLOW);

// At most data.size() bytes; 0 is the end of the file.
Result<size_t> read(const Fd& fd, std::span<std::byte> data);
Result<size_t> write(const Fd& fd, std::span<const std::byte> data);
Result<size_t> pread(const Fd& fd, std::span<std::byte> data, uint64_t offset);
Result<size_t> pwrite(const Fd& fd, std::span<const std::byte> data, uint64_t offset);
// All of `data`: EIO when the file ends first (read), or the error of the first failing write.
Result<> read_exactly(const Fd& fd, std::span<std::byte> data);
Result<> pread_exactly(const Fd& fd, std::span<std::byte> data, uint64_t offset);
Result<> write_all(const Fd& fd, std::span<const std::byte> data);
Result<> write_all(const Fd& fd, std::string_view text);
Result<> pwrite_all(const Fd& fd, std::span<const std::byte> data, uint64_t offset);
// The same of parts that follow one another in the file only, with few calls.
Result<> pwritev_all(const Fd& fd, std::span<const std::span<const std::byte>> parts,
                     uint64_t offset);

Result<> fsync(const Fd& fd);
Result<> fdatasync(const Fd& fd);
// Starts writing a part of the file to disk and does not wait for it (sync_file_range): nothing is
// durable yet, but a later fdatasync has less to do.
Result<> start_writeback(const Fd& fd, uint64_t offset, uint64_t length);
Result<> truncate(const Fd& fd, uint64_t size);
Result<> fallocate(const Fd& fd, int mode, uint64_t offset, uint64_t length);
Result<uint64_t> seek(const Fd& fd, uint64_t offset, int whence);
Result<size_t> copy_file_range(const Fd& from, uint64_t from_offset, const Fd& to,
                               uint64_t to_offset, size_t length);
// Makes `to` share all of the content of `from` (FICLONE), where the file system can.
Result<> clone_content(const Fd& from, const Fd& to);
// A file's or directory's flags, FS_*_FL of linux/fs.h, as chattr has them (FS_IOC_GETFLAGS), and
// the same as FS_XFLAG_* with what else is kept beside them (FS_IOC_FSGETXATTR). The descriptor is
// not O_PATH. ENOTTY or EOPNOTSUPP: its file system has none.
Result<uint32_t> file_flags(const Fd& fd);
Result<> set_file_flags(const Fd& fd, uint32_t flags);
Result<struct fsxattr> extended_flags(const Fd& fd);
Result<> set_extended_flags(const Fd& fd, const struct fsxattr& flags);
// LOCK_SH, LOCK_EX, LOCK_UN, with LOCK_NB: EWOULDBLOCK when held by another.
Result<> flock(const Fd& fd, int operation);
// An open file description's lock on one byte of the file (F_OFD_SETLK), which need not exist.
// F_RDLCK, F_WRLCK, F_UNLCK; never waits: EWOULDBLOCK when held by another. Gone with the last
// descriptor of the open file.
Result<> lock_byte(const Fd& fd, short type, uint64_t offset);

// Extended attributes. ENODATA: not there. Sizes are asked first, so values of any length come
// whole.
Result<std::string> get_xattr(const Fd& fd, const char* name);
Result<> set_xattr(const Fd& fd, const char* name, std::string_view value, int flags = 0);
Result<> remove_xattr(const Fd& fd, const char* name);
Result<std::vector<std::string>> list_xattrs(const Fd& fd);

// Calls `each` for every entry but "." and ".."; `each` returns false to stop. Order is the
// kernel's.
struct DirectoryEntry {
  std::string_view name;
  unsigned char type;  // DT_*
  uint64_t ino;
};
Result<> read_directory(const Fd& dir, const std::function<bool(const DirectoryEntry&)>& each);

// The whole of a small file: EFBIG past `bytes_max`.
Result<std::string> read_file_at(const Fd& dir, const char* path, size_t bytes_max = 16 << 20);
// Writes a new file beside `path` and renames it over: readers see the old or the new, whole. After
// a power cut it may be empty, until make_durable_at().
Result<> replace_file_at(const Fd& dir, const char* path, std::string_view text, mode_t mode);
// The file `name` in `dir` and its name outlive a power cut from here on.
Result<> make_durable_at(const Fd& dir, const char* name);

// A read-only or shared mapping of a file; unmapped when it goes. Move-only.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  static Result<Mapping> read_only(const Fd& fd, size_t bytes);
  static Result<Mapping> shared(const Fd& fd, size_t bytes);
  // Of no file: zeros, and the same memory for children. Takes up room where it is touched.
  static Result<Mapping> anonymous(size_t bytes);

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::span<std::byte> mutable_bytes() { return {data_, size_}; }
  // Of a read-only one: its pages leave our memory, and come back where they are touched. For who
  // goes once through a large file.
  void release() const;

 private:
  Mapping(std::byte* data, size_t size) : data_(data), size_(size) {}
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Has the kernel give memory its pages now (Linux 5.14), instead of when it is first written to.
Result<> populate(std::span<std::byte> memory);

}  // namespace lyr::sys
