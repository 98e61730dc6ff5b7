// SPDX-License-Identifier: Apache-2.0
// Copy-up: an object of the lower side gets its place in the upper one. It is made whole in the
// work directory and then given its name (all its names, for a file that has several), so that no
// crash leaves half of it in sight.
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

constexpr size_t copy_bytes = 1 << 20;

}  // namespace

Result<> Union::copy_attributes(Ino ino, const char* name) {
  store::TreeAttr attr = lower_->attr(ino);
  const Fd& work = *upper_.work();
  bool symlink = S_ISLNK(attr.mode);
  if (ownership_ == Ownership::real) TRY(sys::chown_at(work, name, attr.uid, attr.gid));
  Fd object = TRY(sys::open_at(work, name, O_PATH | O_NOFOLLOW));
  if (!symlink) {
    TRY(sys::chmod_at(work, name, attr.mode & 07777));  // after chown, which takes suid away
    for (uint32_t i = 0; i < lower_->xattr_count(ino); ++i) {
      store::TreeXattr xattr = lower_->xattr(ino, i);
      if (is_internal_xattr(xattr.name)) continue;
      auto set = sys::set_xattr(object, std::string(xattr.name).c_str(), xattr.value);
      // What the upper's file system or our rights do not allow is lost, as with overlayfs on such
      // a one.
      if (!set && set.error().code != EOPNOTSUPP && set.error().code != EPERM) return set;
    }
    bool may_mark = S_ISREG(attr.mode) || S_ISDIR(attr.mode) || upper_.format().trusted;
    if (may_mark) TRY(upper_.set_mark(object, lower_ino_mark, std::to_string(ino)));
    if (ownership_ == Ownership::in_xattr && may_mark) {
      char mode[16];
      std::snprintf(mode, sizeof mode, "%o", attr.mode & 07777);
      std::string owner = std::to_string(attr.uid) + ":" + std::to_string(attr.gid) + ":" + mode;
      TRY(sys::set_xattr(object, override_stat_name, owner));
    }
  }
  struct timespec times[2] = {{static_cast<time_t>(attr.mtime_seconds), attr.mtime_nanoseconds},
                              {static_cast<time_t>(attr.mtime_seconds), attr.mtime_nanoseconds}};
  return sys::utimens_at(work, name, times);
}

Result<> Union::copy_content(Node& node, const Fd& to) {
  uint64_t size = lower_->attr(node.lower).size;
  std::vector<std::byte> buffer(std::min<uint64_t>(copy_bytes, size));
  for (uint64_t at = lower_->next_data(node.lower, 0); at < size;) {
    uint64_t end = std::min(lower_->next_hole(node.lower, at), size);
    while (at < end) {
      auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), end - at));
      size_t got = TRY(lower_->read(node.lower, at, piece));
      if (got == 0) return fail(EIO, "copy-up");
      TRY(sys::pwrite_all(to, piece.first(got), at));
      at += got;
    }
    at = lower_->next_data(node.lower, at);
  }
  TRY(sys::truncate(to, size));
  // Else a power cut could leave an empty file under the name of a whole one.
  return durable_ ? sys::fdatasync(to) : Result<>();
}

Result<Temporary> Union::build_copy(Node& node, bool with_content) {
  store::TreeAttr attr = lower_->attr(node.lower);
  Temporary made = upper_.temporary();
  const Fd& work = *upper_.work();
  switch (attr.mode & S_IFMT) {
    case S_IFREG: {
      Fd file = TRY(sys::open_at(work, made.name(), O_RDWR | O_CREAT | O_EXCL, 0600));
      if (with_content) TRY(copy_content(node, file));
      break;
    }
    case S_IFDIR:
      TRY(sys::mkdir_at(work, made.name(), 0700));
      break;
    case S_IFLNK: {
      std::string target(lower_->symlink_target(node.lower));
      TRY(sys::symlink_at(target.c_str(), work, made.name()));
      break;
    }
    default:
      TRY(sys::mknod_at(work, made.name(), attr.mode & S_IFMT,
                        makedev(attr.device_major, attr.device_minor)));
  }
  TRY(copy_attributes(node.lower, made.name()));
  return made;
}

// The names under which the union still shows a lower file with several.
Result<std::vector<Link>> Union::aliases_of(Node& node) {
  std::vector<Link> visible;
  for (uint32_t i = 0; i < lower_->alias_count(node.lower); ++i) {
    store::TreeAlias alias = lower_->alias(node.lower, i);
    Node* directory = TRY(union_directory(alias.directory));
    if (directory == nullptr) continue;
    auto shown = TRY(show(*directory, alias.name));
    if (shown && !shown->in_upper && shown->lower == node.lower) {
      visible.push_back({directory, std::string(alias.name)});
    }
  }
  for (const Link& link : node.links) {  // what the kernel knows counts in any case
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
    node.held = std::make_shared<const Fd>(std::move(fd));
    ++held_count_;
    return {};
  }
  size_t given = 0;
  auto give = [&](const Link& name) -> Result<> {
    TRY(load(*name.parent));
    auto fd = TRY(directory_fd(*name.parent));
    auto before = TRY(sys::stat(*fd));
    bool last = given + 1 == names.size();
    TRY(last ? sys::rename_at(copy.work(), copy.name(), *fd, name.name.c_str())
             : sys::link_at(copy.work(), copy.name(), *fd, name.name.c_str()));
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
  if (node.type == S_IFDIR) return copy_up_directory(node);
  std::vector<Link> names = node.links;
  if (lower_->alias_count(node.lower) > 1) names = TRY(aliases_of(node));
  for (const Link& name : names) TRY(copy_up_directory(*name.parent));
  Temporary copy = TRY(build_copy(node, with_content));
  auto status = TRY(sys::stat_at(copy.work(), copy.name()));
  TRY(place_copy(node, std::move(copy), names));
  node.in_upper = true;
  node.no_xattrs = lower_->xattr_count(node.lower) == 0;
  node.upper_ino = status.st_ino;
  nodes_.index(node);
  // Names that nobody had looked up are how the object is reached from now on: a file whose known
  // name was removed while in use has no other.
  for (const Link& name : names) nodes_.link(node, *name.parent, name.name);
  return {};
}

Result<> Union::copy_up_directory(Node& directory) {
  if (directory.in_upper) return {};
  if (directory.links.empty()) return fail(ENOENT, "copy-up");
  Link link = directory.links.front();
  TRY(copy_up_directory(*link.parent));
  TRY(load(directory));
  Temporary copy = TRY(build_copy(directory, true));
  TRY(place_copy(directory, std::move(copy), {link}));
  directory.in_upper = true;
  directory.no_xattrs = lower_->xattr_count(directory.lower) == 0;
  return {};
}

}  // namespace lyr::unionfs
