// SPDX-License-Identifier: Apache-2.0
// mknod, mkdir, symlink, link and tmpfile. Over a whiteout the new object is made aside and put in
// its place by one rename.
#include <fcntl.h>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/layer.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

namespace {

// A file's descriptor is kept: what is new is about to be written.
Result<Fd> make_file(const Fd& where, const char* name, uint32_t mode) {
  return sys::open_at(where, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 07777);
}

struct stat as_owned(struct stat status, uint32_t uid, uint32_t gid, uint32_t mode) {
  if (uid != leave_id) status.st_uid = uid;
  if (gid != leave_id) status.st_gid = gid;
  status.st_mode = (status.st_mode & S_IFMT) | (mode & 07777);
  return status;
}

Result<Fd> no_descriptor(Result<> made) {
  if (!made) return std::unexpected(std::move(made).error());
  return Fd();
}

}  // namespace

Result<> Union::check_new_name(std::string_view name) const {
  if (name.size() > NAME_MAX) return fail(ENAMETOOLONG, "create");
  if (whiteout_files_ && name.starts_with(whiteout_file_prefix)) return fail(EPERM, "create");
  return {};
}

Result<Caller> Union::on_disk(Caller caller) const {
  auto uid = ids_.user_on_disk(caller.uid);
  auto gid = ids_.group_on_disk(caller.gid);
  if (!uid || !gid) return fail(EOVERFLOW, "create");  // as the kernel says of ids it cannot store
  return Caller{*uid, *gid, caller.umask};
}

// The mode and the ACLs of what is about to be made in a directory of the upper.
Result<> Union::inherit(Node& directory, const Fd& fd, Creation& creation) const {
  if (!acls_ || S_ISLNK(creation.mode)) return {};
  if (!directory.no_xattrs) {
    auto inherited = sys::get_xattr(fd, std::string(default_acl_name).c_str());
    if (inherited) {
      auto made = TRY(inherit_acl(*inherited, creation.mode));
      creation.mode = made.mode;
      creation.acl = std::move(made.access);
      creation.default_acl = std::move(*inherited);
      return {};
    }
    int code = inherited.error().code;
    if (code != ENODATA && code != EOPNOTSUPP) return std::unexpected(std::move(inherited.error()));
  }
  creation.mode &= ~(creation.caller.umask & 0777);
  return {};
}

// What is made aside is not in the directory that it inherits from.
Result<> Union::set_acls(const Fd& object, const Creation& creation) const {
  auto set = [&](std::string_view name, const std::string& acl) -> Result<> {
    if (acl.empty()) return {};
    auto kept = TRY(shown_acl({}, mapped_ids_, acl));
    return sys::set_xattr(object, std::string(name).c_str(), kept);
  };
  TRY(set(access_acl_name, creation.acl));
  return S_ISDIR(creation.mode) ? set(default_acl_name, creation.default_acl) : Result<>();
}

// The new object's owner is the caller; a set-group-id directory passes its group on, and the bit
// to directories. Mostly the kernel has made it like that already. The status is its own.
Result<struct stat> Union::dress(const Fd& where, const char* name, const Fd& file,
                                 const Creation& creation) {
  auto look = [&] { return file.valid() ? sys::stat(file) : sys::stat_at(where, name); };
  auto status = TRY(look());
  bool changed = false;
  bool inherits = (creation.parent.st_mode & S_ISGID) != 0;
  uint32_t gid = inherits ? creation.parent.st_gid : creation.caller.gid;
  uint32_t mode = creation.mode & 07777;
  if (S_ISDIR(creation.mode) && inherits) mode |= S_ISGID;
  bool owned = (creation.caller.uid == leave_id || status.st_uid == creation.caller.uid) &&
               (gid == leave_id || status.st_gid == gid);
  if (ownership_ == Ownership::real && !owned) {
    TRY(sys::chown_at(where, name, creation.caller.uid, gid));
    changed = true;
  }
  // The mode comes after the owner, a change of which takes set-id bits away.
  bool set_id = (mode & (S_ISUID | S_ISGID)) != 0;
  if (override_.present()) {
    Fd object = TRY(sys::open_at(where, name, O_PATH | O_NOFOLLOW));
    TRY(override_new(where, name, object, as_owned(status, creation.caller.uid, gid, mode)));
  } else if (!S_ISLNK(creation.mode) && ((status.st_mode & 07777) != mode || (changed && set_id))) {
    TRY(sys::chmod_at(where, name, mode));
    changed = true;
  }
  if (creation.opaque) {
    Fd made = TRY(open_own_directory(where, name));
    TRY(upper_.set_mark(made, opaque_mark, "y"));
  }
  return changed ? look() : Result<struct stat>(status);
}

template <class Make>
Result<Union::Made> Union::make_dressed(const Fd& where, const char* name, const Creation& creation,
                                        Make make) {
  Fd file = TRY(make(where, name, creation.mode));
  auto status = dress(where, name, file, creation);
  if (status) return Made{std::move(file), *status, creation.default_acl.empty()};
  static_cast<void>(sys::remove_all_at(where, name));
  return std::unexpected(std::move(status).error());
}

// Made aside: over a whiteout, so that no crash shows what it hides, or so that none shows an
// object without its attributes.
template <class Make>
Result<Union::Made> Union::make_over(const Fd& directory, const char* name,
                                     const Creation& creation, bool over_whiteout, Make make) {
  Temporary aside = upper_.temporary();
  auto made = TRY(make_dressed(aside.work(), aside.name(), creation, make));
  if (!creation.default_acl.empty()) {
    Fd object = TRY(sys::open_at(aside.work(), aside.name(), O_PATH | O_NOFOLLOW));
    TRY(set_acls(object, creation));
  }
  // A directory replaces no whiteout: they change places.
  bool exchange = over_whiteout && S_ISDIR(creation.mode);
  unsigned flags = exchange ? RENAME_EXCHANGE : 0;
  TRY(move_own(aside.work(), aside.name(), directory, name, flags));
  if (!exchange) aside.placed();
  return made;
}

template <class Make>
Result<Found> Union::create(uint64_t parent, std::string_view name, Caller caller, uint32_t mode,
                            Make make) {
  TRY(check_new_name(name));
  std::scoped_lock lock(mutex_);
  if (auto made = answered_before()) return answer_again(*made);
  Node* directory = TRY(find_directory(parent));
  auto shown = TRY(show(*directory, name));
  if (shown) return fail(EEXIST, "create");
  TRY(may_add(*directory));
  if (directory->id != root_id && !directory->has_name()) return fail(ENOENT, "create");
  TRY(copy_up_directory(*directory));
  doubt(*directory);
  auto fd = TRY(directory_fd(*directory));
  std::string text(name);
  Creation creation;
  creation.caller = TRY(on_disk(caller));
  creation.mode = mode;
  creation.parent = TRY(stat_of(*fd));
  TRY(inherit(*directory, *fd, creation));
  bool over_whiteout = directory->above(name) != nullptr;
  // A directory over a name that the lower has must not merge with it.
  creation.opaque = over_whiteout && S_ISDIR(mode) && lower_has(*directory, name);
  Doing creating(ledger_, Intent::Deed::create, {.parent = parent, .name = name});
  bool aside = over_whiteout || override_.present();
  auto made = TRY(aside ? make_over(*fd, text.c_str(), creation, over_whiteout, make)
                        : make_dressed(*fd, text.c_str(), creation, make));
  add_name(*directory, name, false);
  Node& node = adopt(std::move(made));
  nodes_.link(node, *directory, name);
  auto answer = TRY(found(node));
  creating.done(node.id);
  return answer;
}

// A node for what has just been made, of which all is known.
Node& Union::adopt(Made made) {
  NodeTable::Inode inode;
  inode.type = made.status.st_mode & S_IFMT;
  inode.in_upper = true;
  inode.no_xattrs = made.no_xattrs;
  inode.no_flags = true;
  inode.upper_ino = made.status.st_ino;
  inode.ino = lower_->upper_number(made.status.st_dev, made.status.st_ino);
  Node& node = nodes_.make(inode);
  node.loaded = true;
  if (made.file.valid()) {
    node.make_more().data = std::make_shared<const Fd>(std::move(made.file));
    remember_fd(node, true);
  }
  return node;
}

Result<Found> Union::mknod(uint64_t parent, std::string_view name, uint32_t mode, dev_t device,
                           Caller caller) {
  if (S_ISCHR(mode) && device == 0) return fail(EPERM, "mknod");  // that would be a whiteout
  auto make = [&](const Fd& where, const char* text, uint32_t made_mode) {
    if (S_ISREG(made_mode)) return make_file(where, text, made_mode);
    return no_descriptor(sys::mknod_at(where, text, made_mode, device));
  };
  return create(parent, name, caller, mode, make);
}

Result<Found> Union::mkdir(uint64_t parent, std::string_view name, uint32_t mode, Caller caller) {
  auto make = [&](const Fd& where, const char* text, uint32_t made_mode) {
    return no_descriptor(sys::mkdir_at(where, text, made_mode & 07777));
  };
  return create(parent, name, caller, S_IFDIR | (mode & 07777), make);
}

Result<Found> Union::symlink(uint64_t parent, std::string_view name, const char* target,
                             Caller caller) {
  auto make = [&](const Fd& where, const char* text, uint32_t) {
    return no_descriptor(sys::symlink_at(target, where, text));
  };
  return create(parent, name, caller, S_IFLNK, make);
}

Result<Found> Union::link(uint64_t id, uint64_t parent, std::string_view name) {
  TRY(check_new_name(name));
  std::scoped_lock lock(mutex_);
  if (auto linked = answered_before()) return answer_again(*linked);
  Node* node = TRY(find(id));
  Node* directory = TRY(find_directory(parent));
  if (node->type == S_IFDIR) return fail(EPERM, "link");
  auto shown = TRY(show(*directory, name));
  if (shown) return fail(EEXIST, "link");
  TRY(may_add(*directory));
  TRY(may_change(*node));
  TRY(copy_up(*node));
  TRY(complete(*node));
  TRY(copy_up_directory(*directory));
  doubt(*directory);
  auto fd = TRY(directory_fd(*directory));
  auto from = TRY(object(*node));
  std::string text(name);
  Doing linking(ledger_, Intent::Deed::link, {.node = id, .parent = parent, .name = name});
  if (directory->above(name) != nullptr) {
    // A file from O_TMPFILE can be linked when it has no name only once (linkat(2)): a server that
    // comes after this one must not take this one away.
    bool unnamed = !node->has_name() && !node->orphan;
    Temporary made =
        unnamed ? Temporary(upper_.work(), Upper::orphan_name(id)) : upper_.temporary();
    TRY(sys::link_fd(*from, made.work(), made.name()));
    TRY(sys::rename_at(made.work(), made.name(), *fd, text.c_str()));
    made.placed();
  } else {
    TRY(sys::link_fd(*from, *fd, text.c_str()));
  }
  add_name(*directory, name, false);
  nodes_.link(*node, *directory, name);
  if (node->more().held) {  // it had no name, from O_TMPFILE
    nodes_.hold(*node, nullptr);
    node->make_more().held.reset();
    --held_count_;
  }
  Found linked = TRY(found(*node));
  linking.done(id);
  linked.attr_lasts = false;  // the kernel takes this answer also after one of a later change
  return linked;
}

Result<Found> Union::tmpfile(uint64_t parent, uint32_t mode, Caller caller) {
  std::scoped_lock lock(mutex_);
  if (auto made = answered_before()) return answer_again(*made);
  Node* directory = TRY(find_directory(parent));
  if (!directory->has_name() && directory->id != root_id) return fail(EPERM, "tmpfile");  // removed
  TRY(may_add(*directory));
  TRY(copy_up_directory(*directory));
  auto fd = TRY(directory_fd(*directory));
  auto status = TRY(stat_of(*fd));
  Fd file = TRY(sys::open_unnamed(*upper_.work(), O_RDWR, 0600));
  Caller owner = TRY(on_disk(caller));
  Creation creation;
  creation.caller = owner;
  creation.mode = S_IFREG | (mode & 07777);
  TRY(inherit(*directory, *fd, creation));
  mode = creation.mode;
  uint32_t gid = (status.st_mode & S_ISGID) != 0 ? status.st_gid : owner.gid;
  if (ownership_ == Ownership::real) TRY(sys::chown_at(file, "", owner.uid, gid, AT_EMPTY_PATH));
  auto made = TRY(sys::stat(file));
  if (override_.present()) {
    TRY(sys::chmod(file, OverrideStat::mode_on_disk));
    TRY(override_.write(file, as_owned(made, owner.uid, gid, mode)));
  } else {
    TRY(sys::chmod(file, mode & 07777));
    TRY(set_acls(file, creation));
  }
  Node& node = adopt({std::move(file), made, creation.default_acl.empty()});
  node.make_more().held = node.more().data;
  ++held_count_;
  nodes_.hold(node, node.more().held.get());
  Doing making(ledger_, Intent::Deed::none, {});
  auto answer = TRY(found(node));
  making.done(node.id);
  return answer;
}

}  // namespace lyr::unionfs
