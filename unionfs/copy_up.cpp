// SPDX-License-Identifier: Apache-2.0
// Copy-up: an object of the lower side gets its place in the upper one. It is made whole in the
// work directory and then given its name (all its names, for a file that has several), so that no
// crash leaves half of it in sight.
#include <sys/stat.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/copy_ahead.h"
#include "unionfs/copy_file.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

Result<> Union::copy_attributes(const Node& node, const char* name, Fd object) {
  Ino ino = node.lower;
  struct stat attr = lower_->status(ino);
  const Fd& work = *upper_.work();
  bool symlink = S_ISLNK(attr.st_mode);
  bool open = object.valid();
  if (ownership_ == Ownership::real) {
    auto owned = open ? sys::chown(object, attr.st_uid, attr.st_gid)
                      : sys::chown_at(work, name, attr.st_uid, attr.st_gid);
    // Where every owner is shown as one, it matters little which it is.
    if (!owned && !ids_.squashed()) return owned;
  }
  if (!open) object = TRY(sys::open_at(work, name, O_PATH | O_NOFOLLOW));
  if (ownership_ == Ownership::overridden) {
    TRY(override_new(work, name, object, attr));
  } else if (!symlink) {
    mode_t bits = attr.st_mode & 07777;  // after chown, which takes suid away
    TRY(open ? sys::chmod(object, bits) : sys::chmod_at(work, name, bits));
  }
  uint32_t mode = TRY(copy_xattrs(ino, object));
  if (!symlink && mode != attr.st_mode) {
    TRY(open ? sys::chmod(object, mode & 07777) : sys::chmod_at(work, name, mode & 07777));
    doubt_mode(node.id);
  }
  bool may_mark = S_ISREG(attr.st_mode) || S_ISDIR(attr.st_mode) || upper_.format().trusted;
  if (may_mark) TRY(upper_.note_number(object, attr.st_ino));
  if (S_ISREG(attr.st_mode) || S_ISDIR(attr.st_mode)) TRY(copy_flags(ino, object));
  if (may_mark && !symlink && ownership_ == Ownership::in_xattr)
    TRY(OverrideStat(containers_stat_name).write(object, attr));
  struct timespec times[2] = {attr.st_atim, attr.st_mtim};
  return open ? sys::utimens(object, times) : sys::utimens_at(work, name, times);
}

// The result is the mode that the copy is to have.
Result<uint32_t> Union::copy_xattrs(Ino ino, const Fd& object) {
  auto names = TRY(lower_->xattr_names(ino));
  bool acls = false;
  for (const std::string& xattr : names) {
    acls |= is_acl(xattr);
    if (is_internal_xattr(xattr)) continue;
    auto value = TRY(lower_->xattr(ino, xattr));
    auto set = as_owner(object, S_IWUSR,
                        [&] { return sys::set_xattr(object, xattr.c_str(), value.value_or("")); });
    // What the upper's file system or our rights do not allow is lost, as with overlayfs on such a
    // one.
    bool lost = !set && (set.error().code == EOPNOTSUPP || set.error().code == EPERM);
    // A link's counts for little: not even one that no file could have (EINVAL) is to be in the
    // way.
    lost |= !set && S_ISLNK(lower_->status(ino).st_mode) && set.error().code == EINVAL;
    if (!set && !lost) return std::unexpected(std::move(set).error());
  }
  return acls ? copy_acls(ino, object) : Result<uint32_t>(lower_->status(ino).st_mode);
}

// Also where they are not shown, for who mounts the upper later. Where the upper's file system has
// none the mode alone says who may do what.
Result<uint32_t> Union::copy_acls(Ino ino, const Fd& object) {
  uint32_t mode = lower_->status(ino).st_mode;
  if (ownership_ != Ownership::real || ids_.squashed() || S_ISLNK(mode)) return mode;
  for (std::string_view name : {access_acl_name, default_acl_name}) {
    auto acl = TRY(lower_acl(ino, name));
    if (acl) mode = TRY(give_acl(object, name, *acl, shown_acl({}, mapped_ids_, *acl), mode));
  }
  return mode;
}

Result<std::optional<std::string>> Union::lower_acl(Ino ino, std::string_view name) {
  auto value = TRY(lower_->xattr(ino, std::string(name)));
  if (!value) return std::optional<std::string>();
  return unionfs::lower_acl(name, *value, lower_->status(ino).st_mode);
}

Result<> Union::copy_content(Ino from, const Fd& to) {
  auto size = static_cast<uint64_t>(lower_->status(from).st_size);
  auto file = TRY(lower_->file(from));
  if (file) {
    TRY(copy_file(*file, to, size));
    return durable_ ? sys::fdatasync(to) : Result<>();
  }
  if (lower_->clone_into(from, to)) return durable_ ? sys::fdatasync(to) : Result<>();
  CopyAhead copy{
      .read = [&](uint64_t offset,
                  std::span<std::byte> data) { return lower_->read(from, offset, data); },
      .cpus = cpus_};
  uint64_t end = 0;  // up to which the copy is whole
  for (uint64_t at = lower_->next_data(from, 0); at < size;) {
    end = std::min(lower_->next_hole(from, at), size);
    TRY(copy_ahead(copy, at, end, to));
    at = lower_->next_data(from, end);
  }
  if (end < size) TRY(sys::truncate(to, size));  // it ends in a hole, or is one
  if (!durable_) return {};  // blocks can be shared once they are on disk: too long to wait
  // First: what that brings to the disk, fdatasync need not.
  lower_->keep_copy(from, to);
  // Else a power cut could leave an empty file under the name of a whole one.
  return sys::fdatasync(to);
}

Result<Temporary> Union::build_copy(Node& node, bool with_content) {
  struct stat attr = lower_->status(node.lower);
  Temporary made = upper_.temporary();
  const Fd& work = *upper_.work();
  Fd file;
  switch (attr.st_mode & S_IFMT) {
    case S_IFREG:
      file = TRY(sys::open_at(work, made.name(), O_RDWR | O_CREAT | O_EXCL, 0600));
      if (with_content) TRY(copy_content(node.lower, file));
      break;
    case S_IFDIR:
      TRY(sys::mkdir_at(work, made.name(), 0700));
      break;
    case S_IFLNK: {
      auto target = TRY(lower_->symlink_target(node.lower));
      TRY(sys::symlink_at(target.c_str(), work, made.name()));
      break;
    }
    default:
      TRY(sys::mknod_at(work, made.name(), attr.st_mode & S_IFMT, attr.st_rdev));
  }
  TRY(copy_attributes(node, made.name(), std::move(file)));
  return made;
}

// The names under which the union still shows a lower file with several.
Result<std::vector<Link>> Union::aliases_of(Node& node) {
  std::vector<Link> visible;
  auto aliases = TRY(lower_->aliases(node.lower));
  for (const store::TreeAlias& alias : aliases) {
    Node* directory = TRY(union_directory(alias.directory));
    if (directory == nullptr) continue;
    auto shown = TRY(show(*directory, alias.name));
    if (shown && !shown->in_upper && shown->lower == node.lower) {
      visible.push_back({directory, std::string(alias.name)});
    }
  }
  for (const Link& link : nodes_.links(node)) {  // what the kernel knows counts in any case
    auto same = [&](const Link& other) {
      return other.parent == link.parent && other.name == link.name;
    };
    if (std::ranges::none_of(visible, same)) visible.push_back(link);
  }
  return visible;
}

uint32_t Union::visible_links(Node& node) {
  auto visible = aliases_of(node);
  return visible ? static_cast<uint32_t>(visible->size()) : 1;
}

// Gives the copy all its names, or none of them.
Result<> Union::place_copy(Node& node, Temporary copy, const std::vector<Link>& names) {
  if (names.empty()) {  // unlinked while in use: it lives on without a name
    Fd fd = TRY(sys::open_at(copy.work(), copy.name(), O_PATH | O_NOFOLLOW));
    node.make_more().held = std::make_shared<const Fd>(std::move(fd));
    ++held_count_;
    nodes_.hold(node, node.more().held.get());
    return {};
  }
  size_t given = 0;
  auto give = [&](const Link& name) -> Result<> {
    TRY(load(*name.parent));
    auto fd = TRY(directory_fd(*name.parent));
    auto before = TRY(sys::stat(*fd));
    KeptTime kept(ledger_, name.parent->id, before.st_mtim);
    bool last = given + 1 == names.size();
    // The directory itself may be one that not even its owner may change.
    if (last) {
      TRY(move_own(copy.work(), copy.name(), *fd, name.name.c_str()));
    } else {
      TRY(as_owner(*fd, S_IWUSR | S_IXUSR,
                   [&] { return sys::link_at(copy.work(), copy.name(), *fd, name.name.c_str()); }));
    }
    ++given;
    // Copying something up is no change of the directory it is in.
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    static_cast<void>(sys::utimens(*fd, times));
    return {};
  };
  for (const Link& name : names) {
    auto done = give(name);
    if (done) continue;
    for (size_t i = 0; i < given; ++i) {
      auto fd = directory_fd(*names[i].parent);
      if (fd) static_cast<void>(sys::unlink_at(**fd, names[i].name.c_str()));
    }
    return done;
  }
  copy.placed();
  for (const Link& name : names) add_name(*name.parent, name.name, false);
  return {};
}

Result<> Union::copy_up(Node& node, bool with_content) {
  if (node.in_upper) return {};
  if (!upper_.present()) return fail(EROFS, "copy-up");
  if (node.type == S_IFDIR) return copy_up_directory(node);
  std::vector<Link> names = nodes_.links(node);
  if (lower_->links(node.lower) > 1) names = TRY(aliases_of(node));
  for (const Link& name : names) TRY(copy_up_directory(*name.parent));
  TRY(learn_flags(node));  // which the copy has, too
  Temporary copy = TRY(build_copy(node, with_content));
  auto status = TRY(sys::stat_at(copy.work(), copy.name()));
  KeptCopy kept(names.size() > 1 ? ledger_ : nullptr, node.id, status.st_ino);
  TRY(place_copy(node, std::move(copy), names));
  auto xattrs = lower_->xattr_names(node.lower);
  node.no_xattrs = xattrs && xattrs->empty();
  nodes_.raise(node, status.st_ino);
  // Names that nobody had looked up are how the object is reached from now on: a file whose known
  // name was removed while in use has no other.
  for (const Link& name : names) nodes_.link(node, *name.parent, name.name);
  return {};
}

Result<> Union::copy_up_directory(Node& directory) {
  if (directory.in_upper) return {};
  if (!upper_.present()) return fail(EROFS, "copy-up");
  if (!directory.has_name()) return copy_up_removed(directory);
  Link link{nodes_.parent(directory), nodes_.name(directory)};
  TRY(copy_up_directory(*link.parent));
  TRY(load(directory));
  TRY(learn_flags(directory));
  Temporary copy = TRY(build_copy(directory, true));
  auto status = TRY(sys::stat_at(copy.work(), copy.name()));
  TRY(place_copy(directory, std::move(copy), {link}));
  auto xattrs = lower_->xattr_names(directory.lower);
  directory.no_xattrs = xattrs && xattrs->empty();
  nodes_.raise(directory, status.st_ino);
  return {};
}

// A directory that was removed while it is in use.
Result<> Union::copy_up_removed(Node& directory) {
  TRY(learn_flags(directory));
  Temporary copy = TRY(build_copy(directory, true));
  Fd fd = TRY(open_own_directory(copy.work(), copy.name()));
  auto status = TRY(sys::stat(fd));
  directory.make_more().held = std::make_shared<const Fd>(std::move(fd));
  nodes_.hold(directory, directory.more().held.get());
  nodes_.raise(directory, status.st_ino);
  return {};
}

}  // namespace lyr::unionfs
