// SPDX-License-Identifier: Apache-2.0
#include "tools/union_directories.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tools/text.h"
#include "unionfs/upper.h"

namespace lyr::tools {
namespace {

constexpr int lock_wait_ms = 10'000;  // for the server before us to let the upper go
constexpr const char* incompatible = unionfs::Upper::incompatible;
constexpr const char* volatile_mark = "volatile";

constexpr size_t mounts_bytes_max = 64 << 20;  // of /proc/self/mountinfo

bool is_below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory == "/" ? directory : directory + "/");
}

// "\040" and the like, as /proc has spaces.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    bool escape = text[i] == '\\' && i + 3 < text.size() &&
                  std::from_chars(&text[i + 1], &text[i + 1] + 3, code, 8).ptr == &text[i + 1] + 3;
    plain += escape ? static_cast<char>(code) : text[i];
    if (escape) i += 3;
  }
  return plain;
}

// What of its file system each of our mounts shows, and where.
class Mounts {
 public:
  static Result<Mounts> read() {
    Mounts mounts;
    std::string text = TRY(sys::read_file_at(sys::cwd(), "/proc/self/mountinfo", mounts_bytes_max));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      uint64_t id = 0;
      std::string above, device, root, at;
      if (fields >> id >> above >> device >> root >> at)
        mounts.known_[id] = {unescaped(root), unescaped(at)};
    }
    return mounts;
  }
  // The path from the file system's root; nothing: the mount is in no list, a detached one say.
  std::optional<std::string> within(uint64_t mount, const std::string& path) const {
    auto known = known_.find(mount);
    if (known == known_.end()) return std::nullopt;
    const auto& [root, at] = known->second;
    if (path == at) return root;
    if (!is_below(path, at)) return std::nullopt;
    std::string rest = at == "/" ? path : path.substr(at.size());
    return root == "/" ? rest : root + rest;
  }

 private:
  std::map<uint64_t, std::pair<std::string, std::string>> known_;
};

struct Directory {
  Fd fd;
  std::string given;  // as the person named it
  struct stat status{};
  std::string path;                   // from our root, without symlinks
  std::optional<std::string> within;  // from its file system's, also through bind mounts

  static Result<Directory> open(const std::string& given, const Mounts& mounts) {
    Directory opened;
    opened.given = given;
    opened.fd = TRY(about(sys::open(given.c_str(), O_RDONLY | O_DIRECTORY), given));
    opened.status = TRY(sys::stat(opened.fd));
    std::string link = "/proc/self/fd/" + std::to_string(opened.fd.get());
    opened.path = TRY(sys::readlink_at(sys::cwd(), link.c_str()));
    auto more = TRY(sys::statx_at(opened.fd, "", AT_EMPTY_PATH, STATX_MNT_ID));
    opened.within = mounts.within(more.stx_mnt_id, opened.path);
    return opened;
  }
  bool is_or_lies_in(const Directory& other) const {
    if (status.st_dev != other.status.st_dev) return false;
    if (status.st_ino == other.status.st_ino) return true;
    return within && other.within && is_below(*within, *other.within);
  }
  // Of another file system, too: emptying goes into what is mounted below.
  bool is_emptied_with(const Directory& work) const {
    return is_or_lies_in(work) || (work.path != "/" && is_below(path, work.path));
  }
};

// Two mounts that write one upper would each show what the other has changed already. Some network
// file systems have no locks for directories: there nobody can tell.
Result<> take_lock(const Fd& directory, const std::string& name) {
  for (int waited_ms = 0;; waited_ms += 20) {
    auto locked = sys::flock(directory, LOCK_EX | LOCK_NB);
    if (locked || locked.error().code != EWOULDBLOCK) return {};
    if (waited_ms >= lock_wait_ms)
      return fail_saying(
          EBUSY, name + " is in use by another mount: unmount that, or end its server (`fuser " +
                     name + "` names it)");
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

Result<> open_lower(const MountOptions& options, const Mounts& mounts,
                    std::vector<Directory>& lower) {
  for (const auto* paths : {&options.lower, &options.data}) {
    for (const std::string& path : *paths) lower.push_back(TRY(Directory::open(path, mounts)));
  }
  return {};
}

// Nothing that is changed or emptied may be what is only to be read, nor the other of the two.
Result<> check_apart(const std::vector<Directory>& lower, const Directory& upper,
                     const Directory& work) {
  if (upper.is_emptied_with(work) || work.is_or_lies_in(upper))
    return fail_saying(EINVAL, "upperdir=" + upper.given + " and workdir=" + work.given +
                                   ": neither may be or lie in the other");
  for (const Directory& layer : lower) {
    bool emptied = layer.is_emptied_with(work);
    if (emptied || layer.is_or_lies_in(upper))
      return fail_saying(ELOOP, "the lower directory " + layer.given + " lies in " +
                                    (emptied ? work : upper).given + ", which the mount changes");
  }
  return {};
}

Result<> open_upper(const MountOptions& options, const Mounts& mounts,
                    const std::vector<Directory>& lower, UnionDirectories& opened) {
  Directory upper = TRY(Directory::open(options.upper, mounts));
  Directory given = TRY(Directory::open(options.work, mounts));
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
  auto mounts = TRY(Mounts::read());
  TRY(open_lower(options, mounts, lower));
  if (!options.upper.empty()) TRY(open_upper(options, mounts, lower, opened));
  opened.lower.follow_redirects = options.follow_redirects;
  opened.lower.user_marks = options.user_xattrs || (opened.upper && !opened.trusted_marks);
  for (size_t i = 0; i < lower.size(); ++i) {
    bool data = i >= options.lower.size();
    (data ? opened.lower.data_layers : opened.lower.layers).push_back(std::move(lower[i].fd));
  }
  return opened;
}

Result<> mark_volatile(const Fd& work) {
  TRY(sys::remove_all_at(work, incompatible));  // an empty one
  TRY(sys::mkdir_at(work, incompatible, 0700));
  Fd directory = TRY(sys::open_no_links(work, incompatible, O_RDONLY | O_DIRECTORY));
  return sys::mkdir_at(directory, volatile_mark, 0700);
}

Result<> unmark_volatile(const Fd& work) { return sys::remove_all_at(work, incompatible); }

}  // namespace lyr::tools
