// SPDX-License-Identifier: Apache-2.0
// Ownership::overridden: owner and mode of the upper's files and directories are in an attribute,
// changed by one call. What cannot have it (symlinks, devices, pipes, sockets) has its own, as far
// as they can be given: fuse-overlayfs does not even try, and reads them as they are.
#include <fcntl.h>

#include "base/sys_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

// The server may have no right to give files away, or only to a few ids.
bool out_of_reach(const Error& error) { return error.code == EPERM || error.code == EINVAL; }

}  // namespace

Result<struct stat> Union::stat_of(const Fd& object) const {
  auto status = TRY(sys::stat(object));
  TRY(override_.apply(object, status));
  return status;
}

// A layer whose root has the attribute is one whose files have it: without, fuse-overlayfs would
// not look for it once this upper has become a layer.
Result<> Union::override_root() {
  const Fd& root = *upper_.root();
  auto known = TRY(override_.read(root));
  if (known) return {};
  auto status = TRY(sys::stat(root));
  auto written = override_.write(root, status);
  if (written) return {};
  int code = written.error().code;
  return fail_saying(code, std::string("the upper directory takes no ") + override_.name() + " (" +
                               lyr::describe(written.error()) + ")");
}

// Of an object that nobody sees yet; `wanted` is its owner and mode in the union, as on disk.
Result<> Union::override_new(const Fd& where, const char* name, const Fd& object,
                             const struct stat& wanted) const {
  if (override_.covers(wanted.st_mode)) {
    TRY(sys::chmod_at(where, name, OverrideStat::mode_on_disk));
    return override_.write(object, wanted);
  }
  auto owned = sys::chown_at(where, name, wanted.st_uid, wanted.st_gid);
  if (!owned && !out_of_reach(owned.error())) return owned;
  return S_ISLNK(wanted.st_mode) ? Result<>() : sys::chmod_at(where, name, wanted.st_mode & 07777);
}

Result<SharedFd> Union::object_at(const Place& place) {
  if (place.open) return place.open;
  int flags = place.follow ? O_PATH : O_PATH | O_NOFOLLOW;
  Fd fd = TRY(open_own(*place.directory, place.name.c_str(), flags));
  return std::make_shared<const Fd>(std::move(fd));
}

Result<> Union::change_overridden(const Place& place, const AttributeChange& change) const {
  if (!change.uid && !change.gid && !change.mode) return {};
  uid_t uid = leave_id;
  gid_t gid = leave_id;
  if (change.uid) uid = TRY(ids_.user_on_disk(*change.uid));
  if (change.gid) gid = TRY(ids_.group_on_disk(*change.gid));
  auto object = TRY(object_at(place));
  auto status = TRY(stat_of(*object));
  if (!override_.covers(status.st_mode)) {
    auto owned = change_owner(place, change);
    if (!owned && !out_of_reach(owned.error())) return owned;
    bool has_mode = change.mode && !S_ISLNK(status.st_mode);
    return has_mode ? change_mode(place, *change.mode & 07777) : Result<>();
  }
  if (uid != leave_id) status.st_uid = uid;
  if (gid != leave_id) status.st_gid = gid;
  // What chown does to a file.
  if ((change.uid || change.gid) && S_ISREG(status.st_mode)) {
    status.st_mode &= ~mode_t{S_ISUID};
    if ((status.st_mode & S_IXGRP) != 0) status.st_mode &= ~mode_t{S_ISGID};
    TRY(drop_capabilities(*object));
  }
  if (change.mode) status.st_mode = (status.st_mode & S_IFMT) | (*change.mode & 07777);
  return override_.write(*object, status);
}

}  // namespace lyr::unionfs
