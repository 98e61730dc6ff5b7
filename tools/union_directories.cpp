// SPDX-License-Identifier: Apache-2.0
#include "tools/union_directories.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <string>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tools/text.h"
#include "unionfs/upper.h"

namespace lyr::tools {
namespace {

constexpr int lock_wait_ms = 10'000;  // for the server before us to let the upper go
constexpr const char* incompatible = unionfs::Upper::incompatible;
constexpr const char* volatile_mark = "volatile";

struct Directory {
  Fd fd;
  std::string given;     // as the person named it
  std::string resolved;  // from the root, without symlinks
  struct stat status{};

  static Result<Directory> open(const std::string& path) {
    Directory opened;
    opened.given = path;
    opened.fd = TRY(about(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY), path));
    opened.status = TRY(sys::stat(opened.fd));
    std::string link = "/proc/self/fd/" + std::to_string(opened.fd.get());
    opened.resolved = TRY(sys::readlink_at(sys::cwd(), link.c_str()));
    return opened;
  }
  bool is_or_lies_in(const Directory& other) const {
    if (status.st_dev == other.status.st_dev && status.st_ino == other.status.st_ino) return true;
    return resolved.starts_with(other.resolved == "/" ? "/" : other.resolved + "/");
  }
};

// Two mounts that write one upper would each show what the other has changed already. Some network
// file systems have no locks for directories: there nobody can tell.
Result<> take_lock(const Fd& directory, const std::string& name) {
  for (int waited_ms = 0;; waited_ms += 20) {
    auto locked = sys::flock(directory, LOCK_EX | LOCK_NB);
    if (locked || locked.error().code != EWOULDBLOCK) return {};
    if (waited_ms >= lock_wait_ms)
      return fail_saying(EBUSY, name + " is in use by another mount; unmount that first");
    TRY(sys::nap(20));
  }
}

// What another mount has left there to say that the upper is not to be used.
Result<> check_compatible(const Directory& work, const Directory& upper) {
  auto directory = sys::open_no_links(work.fd, incompatible, O_RDONLY | O_DIRECTORY);
  if (!directory && directory.error().code == ENOENT) return {};
  if (!directory) return about(Result<>(std::unexpected(std::move(directory).error())), work.given);
  std::string first;
  TRY(sys::read_directory(*directory, [&](const sys::DirectoryEntry& entry) {
    first = entry.name;
    return false;
  }));
  if (first.empty()) return {};
  std::string why = first == volatile_mark
                        ? " was mounted with `volatile` and not unmounted: it may lack what was "
                          "written; throw it away, or keep it as it is and"
                        : " was used in a way that lyr does not know; if it is to be used all the "
                          "same,";
  return fail_saying(EINVAL, upper.given + why + " remove " + work.given + "/work/" + incompatible);
}

// As overlayfs does: in a directory of its own within the given one, which is emptied later.
Result<Directory> open_work(const Directory& given) {
  auto made = sys::mkdir_at(given.fd, "work", 0700);
  if (!made && made.error().code != EEXIST)
    return about(Result<Directory>(fail(made.error().code, "mkdir")), given.given);
  Directory work;
  work.given = given.given;
  work.fd = TRY(about(sys::open_no_links(given.fd, "work", O_RDONLY | O_DIRECTORY), given.given));
  return work;
}

// Marks that only root of the host can write keep them from whoever owns the files.
bool may_trust(const Fd& directory) {
  const char* name = "trusted.overlay.lyr_probe";
  if (!sys::set_xattr(directory, name, "y")) return false;
  return sys::remove_xattr(directory, name).has_value();
}

Result<> open_lower(const MountOptions& options, std::vector<Directory>& lower) {
  for (const auto* paths : {&options.lower, &options.data}) {
    for (const std::string& path : *paths) lower.push_back(TRY(Directory::open(path)));
  }
  return {};
}

// Nothing that is changed or emptied may be what is only to be read, nor the other of the two.
Result<> check_apart(const std::vector<Directory>& lower, const Directory& upper,
                     const Directory& work) {
  if (upper.is_or_lies_in(work) || work.is_or_lies_in(upper))
    return fail_saying(EINVAL, "upperdir=" + upper.given + " and workdir=" + work.given +
                                   ": neither may be or lie in the other");
  for (const Directory& layer : lower) {
    for (const Directory* changed : {&upper, &work}) {
      if (layer.is_or_lies_in(*changed))
        return fail_saying(ELOOP, "the lower directory " + layer.given + " lies in " +
                                      changed->given + ", which the mount changes");
    }
  }
  return {};
}

Result<> open_upper(const MountOptions& options, const std::vector<Directory>& lower,
                    UnionDirectories& opened) {
  Directory upper = TRY(Directory::open(options.upper));
  Directory given = TRY(Directory::open(options.work));
  if (upper.status.st_dev != given.status.st_dev)
    return fail_saying(EXDEV, options.work + " is on another file system than " + options.upper);
  TRY(check_apart(lower, upper, given));
  auto file_system = TRY(sys::stat_vfs(upper.fd));
  if ((file_system.f_flag & ST_RDONLY) != 0)
    return fail_saying(EROFS, options.upper +
                                  " is read-only: without upperdir= and workdir= the "
                                  "union is, too");
  Directory work = TRY(open_work(given));
  TRY(take_lock(upper.fd, options.upper));
  TRY(take_lock(work.fd, options.work));
  TRY(check_compatible(work, upper));
  opened.trusted_marks = !options.user_xattrs && may_trust(work.fd);
  opened.upper = std::move(upper.fd);
  opened.work = std::move(work.fd);
  return {};
}

}  // namespace

Result<UnionDirectories> open_directories(const MountOptions& options) {
  UnionDirectories opened;
  std::vector<Directory> lower;
  TRY(open_lower(options, lower));
  if (!options.upper.empty()) TRY(open_upper(options, lower, opened));
  opened.lower.follow_redirects = options.follow_redirects;
  opened.lower.user_marks = options.user_xattrs || (opened.upper && !opened.trusted_marks);
  for (size_t i = 0; i < lower.size(); ++i) {
    bool data = i >= options.lower.size();
    (data ? opened.lower.data_layers : opened.lower.layers).push_back(std::move(lower[i].fd));
  }
  return opened;
}

Result<> mark_volatile(const Fd& work) {
  TRY(sys::mkdir_all_at(work, std::string(incompatible) + "/" + volatile_mark, 0700));
  return {};
}

Result<> unmark_volatile(const Fd& work) { return sys::remove_all_at(work, incompatible); }

}  // namespace lyr::tools
