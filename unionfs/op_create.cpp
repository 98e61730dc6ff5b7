// SPDX-License-Identifier: Apache-2.0
// mknod, mkdir, symlink, link and tmpfile. Over a whiteout the new object is made aside and put in
// its place by one rename.
#include <fcntl.h>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

// The new object's owner is the caller; a set-group-id directory passes its group on.
Result<> Union::own(const Fd& directory, const char* name, Caller caller,
                    const struct stat& parent) {
  if (ownership_ == Ownership::in_xattr) return {};
  uint32_t gid = (parent.st_mode & S_ISGID) != 0 ? parent.st_gid : caller.gid;
  if (caller.uid == 0 && gid == 0) return {};
  return sys::chown_at(directory, name, caller.uid, gid);
}

// The mode comes after the owner, a change of which takes set-id bits away.
template <class Make>
Result<> Union::make_whole(const Fd& where, const char* name, const Creation& creation,
                           const struct stat& parent, Make make) {
  TRY(make(where, name));
  TRY(own(where, name, creation.caller, parent));
  uint32_t inherited = S_ISDIR(creation.mode) ? parent.st_mode & S_ISGID : 0;
  if (!S_ISLNK(creation.mode)) TRY(sys::chmod_at(where, name, (creation.mode & 07777) | inherited));
  if (!creation.opaque) return {};
  Fd made = TRY(sys::open_at(where, name, O_RDONLY | O_DIRECTORY));
  return upper_.set_mark(made, opaque_mark, "y");
}

template <class Make>
Result<Found> Union::create(uint64_t parent, std::string_view name, Caller caller, uint32_t mode,
                            Make make) {
  if (name.size() > NAME_MAX) return fail(ENAMETOOLONG, "create");
  std::scoped_lock lock(mutex_);
  Node* directory = TRY(find_directory(parent));
  auto shown = TRY(show(*directory, name));
  if (shown) return fail(EEXIST, "create");
  if (directory->id != root_id && directory->links.empty()) return fail(ENOENT, "create");
  TRY(copy_up_directory(*directory));
  auto fd = TRY(directory_fd(*directory));
  auto status = TRY(sys::stat(*fd));
  std::string text(name);
  Creation creation{.caller = caller, .mode = mode, .opaque = false};
  if (directory->directory->names.contains(name)) {  // a whiteout
    // A directory over a name that the lower has must not merge with it.
    creation.opaque = S_ISDIR(mode) && lower_has(*directory, name);
    Temporary aside = upper_.temporary();
    TRY(make_whole(aside.work(), aside.name(), creation, status, make));
    // A directory replaces no whiteout: they change places.
    unsigned flags = S_ISDIR(mode) ? RENAME_EXCHANGE : 0;
    TRY(sys::rename_at(aside.work(), aside.name(), *fd, text.c_str(), flags));
    if (!S_ISDIR(mode)) aside.placed();
  } else {
    auto made = make_whole(*fd, text.c_str(), creation, status, make);
    if (!made && made.error().code != EEXIST)
      static_cast<void>(sys::remove_all_at(*fd, text.c_str()));
    TRY(std::move(made));
  }
  add_name(*directory, name, false);
  Node* node = TRY(child(*directory, name));
  if (node == nullptr) return fail(EIO, "create");
  return found(*node);
}

Result<Found> Union::mknod(uint64_t parent, std::string_view name, uint32_t mode, dev_t device,
                           Caller caller) {
  if (S_ISCHR(mode) && device == 0) return fail(EPERM, "mknod");  // that would be a whiteout
  auto make = [&](const Fd& where, const char* text) {
    return sys::mknod_at(where, text, mode & S_IFMT, device);
  };
  return create(parent, name, caller, mode, make);
}

Result<Found> Union::mkdir(uint64_t parent, std::string_view name, uint32_t mode, Caller caller) {
  auto make = [&](const Fd& where, const char* text) { return sys::mkdir_at(where, text, 0700); };
  return create(parent, name, caller, S_IFDIR | (mode & 07777), make);
}

Result<Found> Union::symlink(uint64_t parent, std::string_view name, const char* target,
                             Caller caller) {
  auto make = [&](const Fd& where, const char* text) {
    return sys::symlink_at(target, where, text);
  };
  return create(parent, name, caller, S_IFLNK, make);
}

Result<Found> Union::link(uint64_t id, uint64_t parent, std::string_view name) {
  if (name.size() > NAME_MAX) return fail(ENAMETOOLONG, "link");
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  Node* directory = TRY(find_directory(parent));
  if (node->type == S_IFDIR) return fail(EPERM, "link");
  auto shown = TRY(show(*directory, name));
  if (shown) return fail(EEXIST, "link");
  TRY(copy_up(*node));
  TRY(copy_up_directory(*directory));
  auto fd = TRY(directory_fd(*directory));
  auto from = TRY(object(*node));
  std::string text(name);
  if (directory->directory->names.contains(name)) {
    Temporary made = upper_.temporary();
    TRY(sys::link_fd(*from, made.work(), made.name()));
    TRY(sys::rename_at(made.work(), made.name(), *fd, text.c_str()));
    made.placed();
  } else {
    TRY(sys::link_fd(*from, *fd, text.c_str()));
  }
  add_name(*directory, name, false);
  nodes_.link(*node, *directory, name);
  if (node->held) {  // it had no name, from O_TMPFILE
    node->held.reset();
    --held_count_;
  }
  Found linked = TRY(found(*node));
  linked.attr_lasts = false;  // the kernel takes this answer also after one of a later change
  return linked;
}

Result<Found> Union::tmpfile(uint64_t parent, uint32_t mode, Caller caller) {
  std::scoped_lock lock(mutex_);
  Node* directory = TRY(find_directory(parent));
  TRY(copy_up_directory(*directory));
  auto fd = TRY(directory_fd(*directory));
  auto status = TRY(sys::stat(*fd));
  Fd file = TRY(sys::open_unnamed(*upper_.work(), O_RDWR, 0600));
  TRY(sys::chmod(file, mode & 07777));
  uint32_t gid = (status.st_mode & S_ISGID) != 0 ? status.st_gid : caller.gid;
  if (ownership_ == Ownership::real) TRY(sys::chown_at(file, "", caller.uid, gid, AT_EMPTY_PATH));
  auto made = TRY(sys::stat(file));
  Node& node = nodes_.make();
  node.type = S_IFREG;
  node.in_upper = true;
  node.upper_ino = made.st_ino;
  node.ino = upper_ino_base + made.st_ino;
  node.held = std::make_shared<const Fd>(std::move(file));
  ++held_count_;
  nodes_.index(node);
  return found(node);
}

}  // namespace lyr::unionfs
