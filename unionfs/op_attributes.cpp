// SPDX-License-Identifier: Apache-2.0
// setattr and extended attributes.
#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <tuple>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

// After each unlink, and after the removal of an ACL that was not there, the kernel sends the times
// it has of the file, for the sake of its ctime. An image's file need not be copied for it, and of
// one without names there is nothing to keep.
bool changes_nothing(const AttributeChange& change, const struct stat& status) {
  if (change.mode || change.uid || change.gid || change.size || change.atime) return false;
  return !change.mtime || (change.mtime->tv_sec == status.st_mtim.tv_sec &&
                           change.mtime->tv_nsec == status.st_mtim.tv_nsec);
}

bool is_before(const struct timespec& one, const struct timespec& other) {
  return std::tie(one.tv_sec, one.tv_nsec) < std::tie(other.tv_sec, other.tv_nsec);
}

}  // namespace

// When the kernel writes a file back it sends its times without the file's lock (fuse_flush_times),
// and they may come after those of a change that was made later, a truncation say. By when each was
// made the late ones are known. Who sets the time of the modification only has the lock, and sends
// the same: his is lost if the clock was put back by less than this since the file was changed.
bool Union::comes_late(const Node& node, const AttributeChange& change) {
  constexpr time_t late_s = 60;  // more than the kernel keeps what is to be written back
  const struct timespec& latest = node.more().timed_at;
  return tells_time(change) && is_before(*change.changed_at, latest) &&
         change.changed_at->tv_sec + late_s >= latest.tv_sec;
}

// How an upper object is reached: by a descriptor that is open anyway, else by its name.
Result<Union::Place> Union::place(Node& node) {
  Place place;
  if (node.type == S_IFDIR) {
    place.open = TRY(directory_fd(node));
  } else if (node.more().data) {
    place.open = node.more().data;
  } else if (!privileged_) {
    place.kept = TRY(object(node));
    place.directory = proc_fds_;
    place.name = std::to_string(place.kept->get());
    place.follow = true;
  } else if (node.has_name()) {
    place.directory = TRY(directory_fd(*nodes_.parent(node)));
    place.name = nodes_.name(node);
  } else if (node.orphan) {
    place.directory = upper_.work();
    place.name = Upper::orphan_name(node.id);
  } else if (!node.more().held) {
    return fail(ESTALE, "place");
  } else {
    // Without a name, and O_PATH: through its descriptor's magic link.
    place.directory = proc_fds_;
    place.name = std::to_string(node.more().held->get());
    place.follow = true;
  }
  return place;
}

Result<struct stat> Union::stat_at(const Place& place) const {
  if (place.open) return stat_of(*place.open);
  if (override_.present()) {
    auto object = TRY(object_at(place));
    return stat_of(*object);
  }
  return sys::stat_at(*place.directory, place.name.c_str(), place.flags());
}

Result<> Union::change_owner(const Place& place, const AttributeChange& change) const {
  if (!change.uid && !change.gid) return {};
  if (ownership_ == Ownership::in_xattr) return {};  // there is one owner
  uid_t uid = leave_id;
  gid_t gid = leave_id;
  if (change.uid) uid = TRY(ids_.user_on_disk(*change.uid));
  if (change.gid) gid = TRY(ids_.group_on_disk(*change.gid));
  if (place.open) return sys::chown(*place.open, uid, gid);
  return sys::chown_at(*place.directory, place.name.c_str(), uid, gid, place.flags());
}

Result<> Union::change_mode(const Place& place, uint32_t mode) {
  if (place.open) return sys::chmod(*place.open, mode);
  return sys::chmod_at(*place.directory, place.name.c_str(), mode);
}

Result<> Union::change_times(const Place& place, const AttributeChange& change) {
  if (!change.atime && !change.mtime) return {};
  struct timespec keep{0, UTIME_OMIT};
  struct timespec times[2] = {change.atime.value_or(keep), change.mtime.value_or(keep)};
  if (place.open) return sys::utimens(*place.open, times);
  return sys::utimens_at(*place.directory, place.name.c_str(), times, place.flags());
}

Result<Found> Union::setattr(uint64_t id, AttributeChange change) {
  std::scoped_lock time_lock(time_mutex(id));
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (node->type != S_IFDIR && (!node->in_upper || !node->has_name())) {
    auto status = TRY(attr(*node));
    if (changes_nothing(change, status)) return describe(*node, status);
  }
  TRY(may_set(*node, change));
  // Nothing else can fail after its content is given up.
  bool emptied = change.size && *change.size == 0 && !change.mode && !change.uid && !change.gid;
  TRY(copy_up(*node, !emptied));
  if (change.size) {
    auto fd = TRY(data_fd(*node, true));
    if (change.drop_privileges) TRY(drop_privilege_bits(*fd, change.caller_gid));
  }
  if (comes_late(*node, change)) change.mtime.reset();
  auto where = TRY(place(*node));
  if (override_.present()) {
    TRY(change_overridden(where, change));
  } else {
    TRY(change_owner(where, change));
    if (change.mode && node->type != S_IFLNK) TRY(change_mode(where, *change.mode & 07777));
  }
  if (change.size) {
    // To the size that it has: else the kernel sends the time that it gives the file.
    bool same = change.keep_time && !change.mtime;
    TRY(same ? truncate_keeping_time(id, *where.open, *change.size)
             : sys::truncate(*where.open, *change.size));
  }
  TRY(change_times(where, change));
  keep_set_time(id, change);
  if (change.mtime && change.changed_at) node->make_more().timed_at = *change.changed_at;
  auto status = TRY(stat_at(where));
  auto* kept = kept_times_.find(id);
  if (kept != nullptr) status.st_mtim = kept->time;
  return describe(*node, shown(*node, status));
}

bool Union::hides(std::string_view xattr) const {
  return is_internal_xattr(xattr) && !(acls_ && is_acl(xattr));
}

Result<std::string> Union::get_xattr(uint64_t id, std::string_view shown) {
  std::string name = xattr_on_disk(shown);
  if (hides(name)) return fail(is_unsupported_xattr(name) ? EOPNOTSUPP : ENODATA, "getxattr");
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (node->in_upper) {
    if (node->no_xattrs) return fail(ENODATA, "getxattr");
    auto fd = TRY(object(*node));
    auto value = sys::get_xattr(*fd, name.c_str());
    if (!is_acl(name)) return value;
    if (!value && value.error().code == EOPNOTSUPP) return fail(ENODATA, "getxattr");
    return visible_acl(TRY(std::move(value)));
  }
  auto value = TRY(is_acl(name) ? lower_acl(node->lower, name) : lower_->xattr(node->lower, name));
  if (!value) return fail(ENODATA, "getxattr");
  return is_acl(name) ? visible_acl(*value) : std::move(*value);
}

Result<std::string> Union::visible_acl(std::string_view on_disk) const {
  auto acl = shown_acl(ids_, mapped_ids_, on_disk);
  if (!acl) return fail(ENODATA, "getxattr");
  return acl;
}

Result<std::vector<std::string>> Union::list_xattrs(uint64_t id) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  std::vector<std::string> names;
  if (!node->in_upper) {
    names = TRY(lower_->xattr_names(node->lower));
    TRY(erase_invalid_acls(node->lower, names));
  } else if (!node->no_xattrs) {
    auto fd = TRY(object(*node));
    names = TRY(sys::list_xattrs(*fd));
  }
  std::erase_if(names, [&](const std::string& name) { return hides(name); });
  std::ranges::transform(names, names.begin(), shown_xattr);
  return names;
}

Result<> Union::erase_invalid_acls(Ino ino, std::vector<std::string>& names) {
  for (std::string_view name : {access_acl_name, default_acl_name}) {
    auto at = std::ranges::find(names, name);
    if (at == names.end()) continue;
    auto acl = TRY(lower_acl(ino, name));
    if (!acl) names.erase(at);
  }
  return {};
}

Result<> Union::set_xattr(uint64_t id, std::string_view shown, std::string_view value, int flags,
                          bool drop_group_id) {
  std::string name = xattr_on_disk(shown);
  if (hides(name)) return fail(is_unsupported_xattr(name) ? EOPNOTSUPP : EPERM, "setxattr");
  std::string translated;
  if (is_acl(name)) value = translated = TRY(acl_on_disk(ids_, value));
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  TRY(may_change(*node));
  TRY(copy_up(*node));
  auto fd = TRY(object(*node));
  node->no_xattrs = false;
  if (name == access_acl_name) {
    TRY(sys::set_xattr(*fd, name.c_str(), value, flags));
    return drop_group_id ? without_group_id(*node) : Result<>();
  }
  if (ledger_ == nullptr || (flags & XATTR_CREATE) == 0)
    return sys::set_xattr(*fd, name.c_str(), value, flags);
  if (answered_before()) return sys::set_xattr(*fd, name.c_str(), value);
  if (sys::get_xattr(*fd, name.c_str())) return fail(EEXIST, "setxattr");
  Doing setting(ledger_, Intent::Deed::attribute, {});
  TRY(sys::set_xattr(*fd, name.c_str(), value, flags));
  setting.done();
  return {};
}

// A set-group-id bit is not for who is no member of the group.
Result<> Union::without_group_id(Node& node) {
  auto where = TRY(place(node));
  auto status = TRY(stat_at(where));
  if ((status.st_mode & S_ISGID) == 0) return {};
  return change_mode(where, status.st_mode & 07777 & ~uint32_t{S_ISGID});
}

Result<> Union::remove_xattr(uint64_t id, std::string_view shown) {
  std::string name = xattr_on_disk(shown);
  if (hides(name)) return fail(is_unsupported_xattr(name) ? EOPNOTSUPP : ENODATA, "removexattr");
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (answered_before()) {
    auto fd = TRY(object(*node));
    auto removed = sys::remove_xattr(*fd, name.c_str());
    return removed || removed.error().code == ENODATA ? Result<>() : std::move(removed);
  }
  TRY(may_change(*node));
  if (!node->in_upper) {
    auto value =
        TRY(is_acl(name) ? lower_acl(node->lower, name) : lower_->xattr(node->lower, name));
    if (!value) return is_acl(name) ? Result<>() : fail(ENODATA, "removexattr");
  }
  TRY(copy_up(*node));
  auto fd = TRY(object(*node));
  if (is_acl(name)) {  // whether or not there is one
    auto removed = sys::remove_xattr(*fd, name.c_str());
    return removed || removed.error().code == EOPNOTSUPP ? Result<>() : std::move(removed);
  }
  if (ledger_ == nullptr) return sys::remove_xattr(*fd, name.c_str());
  TRY(sys::get_xattr(*fd, name.c_str()));
  Doing removing(ledger_, Intent::Deed::attribute, {});
  TRY(sys::remove_xattr(*fd, name.c_str()));
  removing.done();
  return {};
}

}  // namespace lyr::unionfs
