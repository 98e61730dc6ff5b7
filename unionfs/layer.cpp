// SPDX-License-Identifier: Apache-2.0
#include "unionfs/layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "unionfs/format.h"

namespace lyr::unionfs {
namespace {

constexpr size_t piece_bytes_max = 4000;  // of a path, for one system call (PATH_MAX is 4096)

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

// A mount of its own with nothing mounted below. Not where the caller is not root of the mount
// namespace, or was given it with mounts below that it may not look under (EINVAL).
Result<Fd> private_view(const Fd& directory) {
  Fd view = TRY(sys::open_tree(directory, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
  // An access time that is locked in a user namespace stays as it is.
  auto quiet = sys::mount_setattr(view, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME);
  if (!quiet) static_cast<void>(sys::mount_setattr(view, 0, MOUNT_ATTR_RDONLY));
  return view;
}

unsigned char type_of(mode_t mode) { return static_cast<unsigned char>(IFTODT(mode)); }

}  // namespace

std::string_view hidden_by(std::string_view whiteout_file) {
  std::string_view name = whiteout_file.substr(whiteout_file_prefix.size());
  bool own = name.starts_with(whiteout_file_prefix) || name == "." || name == "..";
  return own ? std::string_view() : name;
}

Result<Layer> Layer::open(Fd directory) {
  auto view = private_view(directory);
  // Without it, the file system that we serve may show up below, and must not be asked.
  Layer layer(view ? std::move(*view) : std::move(directory), view ? 0 : AT_STATX_DONT_SYNC);
  auto status = TRY(sys::stat(layer.root_));
  if (!S_ISDIR(status.st_mode)) return fail(ENOTDIR, "open");
  layer.device_ = status.st_dev;
  layer.override_ = TRY(OverrideStat::of_layer(layer.root_));
  return layer;
}

Result<Fd> Layer::open_directory(std::string_view path) const {
  if (path.empty()) return sys::open_no_links(root_, ".", directory_flags);
  Fd at;
  while (path.size() > piece_bytes_max) {
    size_t end = path.rfind('/', piece_bytes_max);
    std::string piece(path.substr(0, end));
    at = TRY(sys::open_no_links(at.valid() ? at : root_, piece.c_str(), O_PATH | directory_flags));
    path.remove_prefix(end + 1);
  }
  std::string rest(path);
  return sys::open_no_links(at.valid() ? at : root_, rest.c_str(), directory_flags);
}

Result<Layer::Says> Layer::says(const Fd& directory) const {
  auto marks = TRY(read_marks(directory));
  Says says{marks.opaque, std::move(marks.redirect)};
  if (!says.opaque) says.opaque = TRY(sys::exists_at(directory, opaque_file_name.data()));
  return says;
}

Result<struct statx> Layer::own_status(const Fd& directory, const char* name) const {
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | status_flags_;
  return sys::statx_at(directory, name, flags, STATX_BASIC_STATS);
}

Result<struct statx> Layer::status(const Fd& directory, const char* name) const {
  auto status = TRY(own_status(directory, name));
  if (!override_.covers(status.stx_mode)) return status;
  auto object = sys::open_no_links(directory, name, O_PATH | O_NOFOLLOW);
  // Another file system is mounted there, which is not the layer's.
  if (!object && object.error().code == EXDEV) return status;
  if (!object) return std::unexpected(std::move(object).error());
  auto value = TRY(override_.read(*object));
  if (!value) return status;
  status.stx_uid = value->uid;
  status.stx_gid = value->gid;
  status.stx_mode = static_cast<uint16_t>((status.stx_mode & S_IFMT) | value->mode);
  return status;
}

Result<Layer::Says> Layer::list(const Fd& directory,
                                const std::function<void(const Name&)>& each) const {
  auto marks = TRY(read_marks(directory));
  Says says{marks.opaque, std::move(marks.redirect)};
  Result<> failed;
  // What a name is when its type does not say.
  auto look = [&](std::string_view name) -> Result<Name> {
    std::string text(name);
    auto status = TRY(own_status(directory, text.c_str()));
    bool device =
        S_ISCHR(status.stx_mode) && status.stx_rdev_major == 0 && status.stx_rdev_minor == 0;
    bool hides = device;
    if (marks.file_whiteouts && S_ISREG(status.stx_mode) && status.stx_size == 0) {
      Fd file = TRY(sys::open_at(directory, text.c_str(), O_PATH | O_NOFOLLOW));
      auto said = TRY(read_marks(file));
      hides = said.whiteout;
    }
    Kind kind = hides ? Kind::whiteout : S_ISDIR(status.stx_mode) ? Kind::directory : Kind::other;
    return Name{name, kind, type_of(status.stx_mode)};
  };
  auto take = [&](const sys::DirectoryEntry& entry) {
    if (entry.name.starts_with(whiteout_file_prefix)) {
      std::string_view hidden = hidden_by(entry.name);
      says.opaque |= entry.name == opaque_file_name;
      if (!hidden.empty()) each({hidden, Kind::whiteout_aside, DT_REG});
      return true;
    }
    bool unclear = entry.type == DT_UNKNOWN || entry.type == DT_CHR ||
                   (marks.file_whiteouts && entry.type == DT_REG);
    if (!unclear) {
      each({entry.name, entry.type == DT_DIR ? Kind::directory : Kind::other, entry.type});
      return true;
    }
    auto name = look(entry.name);
    if (name) {
      each(*name);
    } else {
      failed = std::unexpected(std::move(name).error());
    }
    return failed.has_value();
  };
  TRY(sys::read_directory(directory, take));
  TRY(std::move(failed));
  return says;
}

}  // namespace lyr::unionfs
