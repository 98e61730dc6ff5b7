// SPDX-License-Identifier: Apache-2.0
#include "unionfs/image_session.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/attribute_use.h"
#include "unionfs/format.h"
#include "unionfs/fuse_session.h"
#include "unionfs/instances.h"
#include "unionfs/loop.h"
#include "unionfs/lower.h"
#include "unionfs/push_ahead.h"

namespace lyr::unionfs {
namespace {

constexpr double for_ever_s = 1e9;
constexpr unsigned background_max = 64;

// What the operations are given: a session's user data. Any number of threads may use it.
struct Image {
  std::unique_ptr<Lower> lower;
  const ImageOptions& options;
  Instances& instances;
  Ino last = no_ino;  // the highest number there is
  bool acls = false;  // it has some
  std::unique_ptr<PushAhead> push_ahead = nullptr;
  std::mutex mutex = {};  // guards what follows
  AttributeUse attribute_use = {};

  template <typename Act>
  void use(const Act& act) {
    std::scoped_lock lock(mutex);
    act(attribute_use);
  }
};

Image& image_of(fuse_req_t request) { return *static_cast<Image*>(fuse_req_userdata(request)); }

// The inode a node id stands for; ESTALE is answered when there is none.
Ino inode_of(fuse_req_t request, fuse_ino_t node) {
  if (node >= root_ino && node <= image_of(request).last) return static_cast<Ino>(node);
  fuse_reply_err(request, ESTALE);
  return no_ino;
}

struct stat status_of(const Image& image, Ino ino) {
  struct stat status = image.lower->status(ino);
  status.st_uid = image.options.ids.shown_user(status.st_uid);
  status.st_gid = image.options.ids.shown_group(status.st_gid);
  return status;
}

struct fuse_entry_param entry_of(const Image& image, Ino ino) {
  struct fuse_entry_param entry{};
  entry.ino = ino;
  entry.attr = status_of(image, ino);
  entry.attr_timeout = entry.entry_timeout = for_ever_s;
  return entry;
}

// Handles are followed to what the kernel knows only (unionfs/instances.h). With
// FUSE_EXPORT_SUPPORT it would make a nameless inode of one that it has forgotten, and holds such a
// one for stale since Linux 6.16 (fs/fuse/dir.c, fuse_dentry_revalidate: it has no epoch): the copy
// whose handle it was could not be found any more.
void op_init(void* user_data, struct fuse_conn_info* connection) {
  for (uint64_t flag :
       {FUSE_CAP_ASYNC_READ, FUSE_CAP_READDIRPLUS, FUSE_CAP_PARALLEL_DIROPS,
        FUSE_CAP_CACHE_SYMLINKS, FUSE_CAP_NO_OPEN_SUPPORT, FUSE_CAP_NO_OPENDIR_SUPPORT}) {
    fuse_set_feature_flag(connection, flag);
  }
  for (uint64_t flag : {FUSE_CAP_READDIRPLUS_AUTO, FUSE_CAP_SPLICE_READ, FUSE_CAP_SPLICE_WRITE,
                        FUSE_CAP_SPLICE_MOVE, FUSE_CAP_POSIX_LOCKS, FUSE_CAP_FLOCK_LOCKS,
                        FUSE_CAP_POSIX_ACL, FUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_EXPORT_SUPPORT}) {
    fuse_unset_feature_flag(connection, flag);
  }
  // The kernel asks for that of each file whose group may do anything: only where there is one.
  if (static_cast<const Image*>(user_data)->acls)
    fuse_set_feature_flag(connection, FUSE_CAP_POSIX_ACL);
  connection->max_background = background_max;
  connection->time_gran = 1;
}

void op_lookup(fuse_req_t request, fuse_ino_t node, const char* name) {
  Ino parent = inode_of(request, node);
  if (parent == no_ino) return;
  Image& image = image_of(request);
  const store::Tree& tree = image.options.tree;
  bool directory = image.lower->type(parent) == S_IFDIR;
  Ino ino = directory ? tree.lookup(parent, name) : no_ino;
  struct fuse_entry_param entry{};  // inode 0: remember that there is nothing
  entry.entry_timeout = for_ever_s;
  if (ino != no_ino) entry = entry_of(image, ino);
  if (ino > root_ino) entry.generation = image.instances.looked_up(ino);
  if (ino != no_ino && image.lower->type(ino) != S_IFDIR)
    image.use([&](AttributeUse& use) { use.looked_up(parent); });
  fuse_reply_entry(request, &entry);
}

void forget(const Image& image, fuse_ino_t node, uint64_t lookups) {
  if (node > root_ino && node <= image.last)
    image.instances.forgotten(static_cast<Ino>(node), lookups);
}

void op_forget(fuse_req_t request, fuse_ino_t node, uint64_t lookups) {
  forget(image_of(request), node, lookups);
  fuse_reply_none(request);
}

void op_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data* forgets) {
  for (const auto& one : std::span(forgets, count)) forget(image_of(request), one.ino, one.nlookup);
  fuse_reply_none(request);
}

void op_getattr(fuse_req_t request, fuse_ino_t node, struct fuse_file_info*) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  struct stat status = status_of(image_of(request), ino);
  fuse_reply_attr(request, &status, for_ever_s);
}

void op_readlink(fuse_req_t request, fuse_ino_t node) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  auto target = image_of(request).lower->symlink_target(ino);
  if (target) {
    fuse_reply_readlink(request, target->c_str());
  } else {
    fuse_reply_err(request, target.error().code);
  }
}

void op_not_here(fuse_req_t request, fuse_ino_t, struct fuse_file_info*) {
  fuse_reply_err(request, ENOSYS);
}

void op_read(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
             struct fuse_file_info*) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  thread_local std::vector<std::byte> buffer;
  if (buffer.size() < size) buffer.resize(size);
  auto data = std::span(buffer).first(size);
  const Image& image = image_of(request);  // the request itself is gone once it was answered
  auto got = image.lower->read(ino, static_cast<uint64_t>(offset), data);
  if (got) {
    fuse_reply_buf(request, reinterpret_cast<const char*>(data.data()), *got);
  } else {
    fuse_reply_err(request, got.error().code);
  }
  if (offset == 0) image.push_ahead->asked(ino);
}

void op_statfs(fuse_req_t request, fuse_ino_t) {
  auto status = image_of(request).lower->statfs();
  if (status) {
    fuse_reply_statfs(request, &*status);
  } else {
    fuse_reply_err(request, status.error().code);
  }
}

// A file's capabilities hold for the root that gave them: the one that the ids name.
std::string shown_capability(const Ids& ids, std::string value) {
  if (ids.users.empty() || value.size() != XATTR_CAPS_SZ_2) return value;
  struct vfs_ns_cap_data data{};
  std::memcpy(&data, value.data(), value.size());
  if ((data.magic_etc & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_2) return value;
  data.magic_etc = VFS_CAP_REVISION_3 | (data.magic_etc & VFS_CAP_FLAGS_MASK);
  data.rootid = ids.shown_user(0);
  return {reinterpret_cast<const char*>(&data), sizeof data};
}

bool hides(const Image& image, std::string_view xattr) {
  return is_internal_xattr(xattr) && !(image.acls && is_acl(xattr));
}

void op_getxattr(fuse_req_t request, fuse_ino_t node, const char* name, size_t size) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  const Image& image = image_of(request);
  if (hides(image, name)) {
    fuse_reply_err(request, is_unsupported_xattr(name) ? EOPNOTSUPP : ENODATA);
    return;
  }
  auto value = image.lower->xattr(ino, name);
  if (!value || !*value) {
    fuse_reply_err(request, value ? ENODATA : value.error().code);
    return;
  }
  if (is_acl(name)) {
    auto acl = lower_acl(name, **value, image.lower->status(ino).st_mode);
    auto shown = shown_acl(image.options.ids, image.options.mapped_ids, acl.value_or(""));
    if (shown) {
      reply_bytes(request, size, *shown);
    } else {
      fuse_reply_err(request, ENODATA);
    }
    return;
  }
  bool capability = std::string_view(name) == "security.capability";
  reply_bytes(request, size,
              capability ? shown_capability(image.options.ids, std::move(**value)) : **value);
}

void op_listxattr(fuse_req_t request, fuse_ino_t node, size_t size) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  const Image& image = image_of(request);
  auto names = image.lower->xattr_names(ino);
  if (!names) {
    fuse_reply_err(request, names.error().code);
    return;
  }
  std::string list;
  for (const std::string& name : *names) {
    if (hides(image, name)) continue;
    auto value = is_acl(name) ? image.lower->xattr(ino, name) : std::optional<std::string>("");
    if (!value || !*value) continue;
    if (is_acl(name) && !lower_acl(name, **value, image.lower->status(ino).st_mode)) continue;
    list.append(name.c_str(), name.size() + 1);
  }
  reply_bytes(request, size, list);
}

// Of an image's files, which overlayfs has to hear of before it gives a copy some.
void op_ioctl(fuse_req_t request, fuse_ino_t, unsigned command, void*, struct fuse_file_info*,
              unsigned, const void*, size_t, size_t) {
  uint32_t flags = image_of(request).options.file_flags;
  struct fsxattr extended{};
  if (command == FS_IOC_GETFLAGS) {
    fuse_reply_ioctl(request, 0, &flags, sizeof flags);
  } else if (command == FS_IOC_FSGETXATTR) {
    fuse_reply_ioctl(request, 0, &extended, sizeof extended);
  } else {
    fuse_reply_err(request, ENOTTY);
  }
}

void op_lseek(fuse_req_t request, fuse_ino_t node, off_t offset, int whence,
              struct fuse_file_info*) {
  Ino ino = inode_of(request, node);
  if (ino == no_ino) return;
  const Lower& lower = *image_of(request).lower;
  auto size = static_cast<uint64_t>(lower.status(ino).st_size);
  auto from = static_cast<uint64_t>(offset);
  bool hole = whence == SEEK_HOLE;
  uint64_t at = size;
  if (from < size) at = hole ? lower.next_hole(ino, from) : lower.next_data(ino, from);
  if (from >= size || (!hole && at >= size)) {
    fuse_reply_err(request, ENXIO);
  } else {
    fuse_reply_lseek(request, static_cast<off_t>(std::min(at, size)));
  }
}

// Cookies: 1 and 2 follow "." and "..", entry N has N + 3.
struct Listing {
  Listing(fuse_req_t asked, std::span<char> room, bool attributes)
      : request(asked), full(attributes), buffer(room) {}

  // False: it does not fit.
  bool add(const char* name, Ino ino, uint64_t next) {
    const Image& image = image_of(request);
    size_t room = buffer.size() - used;
    size_t needed = 0;
    if (full) {
      struct fuse_entry_param entry{};
      entry.attr.st_ino = image.lower->number(ino);
      entry.attr.st_mode = image.lower->type(ino);
      bool file = entry.attr.st_mode != S_IFDIR;
      if (file && !told) image_of(request).use([&](auto& use) { use.found_file(directory, !all); });
      told = told || file;
      bool known = all || !file;
      if (known) entry = entry_of(image, ino);
      // The kernel does not come to know a directory by its dots.
      bool counts = known && next > 2;
      if (counts) entry.generation = image.instances.looked_up(ino);
      needed = fuse_add_direntry_plus(request, buffer.data() + used, room, name, &entry,
                                      static_cast<off_t>(next));
      if (counts && needed > room) image.instances.forgotten(ino, 1);
    } else {
      struct stat status{};
      status.st_ino = image.lower->number(ino);
      status.st_mode = image.lower->type(ino);
      needed = fuse_add_direntry(request, buffer.data() + used, room, name, &status,
                                 static_cast<off_t>(next));
    }
    if (needed > room) return false;
    used += needed;
    return true;
  }

  fuse_req_t request;
  bool full;  // READDIRPLUS
  Ino directory = no_ino;
  bool all = true;   // with attributes, not directories alone
  bool told = true;  // AttributeUse was of the first file
  std::span<char> buffer;
  size_t used = 0;
};

void list(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset, bool attributes) {
  Ino directory = inode_of(request, node);
  if (directory == no_ino) return;
  Lower& lower = *image_of(request).lower;
  if (lower.type(directory) != S_IFDIR) {
    fuse_reply_err(request, ENOTDIR);
    return;
  }
  thread_local std::vector<char> buffer;
  if (buffer.size() < size) buffer.resize(size);
  Listing listing(request, std::span(buffer).first(size), attributes);
  auto at = static_cast<uint64_t>(offset);
  const store::Tree& tree = image_of(request).options.tree;
  uint64_t count = tree.entry_count(directory);
  if (attributes) {
    listing.directory = directory;
    listing.told = at != 0;
    image_of(request).use([&](AttributeUse& use) {
      listing.all = at == 0 ? use.begins(directory, count) : use.goes_on(directory);
    });
  }
  for (bool fits = true; fits && at < count + 2; ++at) {
    if (at < 2) {
      fits =
          listing.add(at == 0 ? "." : "..", at == 0 ? directory : lower.parent(directory), at + 1);
      continue;
    }
    store::TreeEntry entry = tree.entry(directory, static_cast<uint32_t>(at - 2));
    fits = listing.add(std::string(entry.name).c_str(), entry.ino, at + 1);
  }
  fuse_reply_buf(request, listing.buffer.data(), listing.used);
}

void op_readdir(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                struct fuse_file_info*) {
  list(request, node, size, offset, false);
}

void op_readdirplus(fuse_req_t request, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info*) {
  list(request, node, size, offset, true);
}

// What is left out is answered ENOSYS, and not asked again.
struct fuse_lowlevel_ops operations(const store::Tree& tree) {
  struct fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.readlink = op_readlink;
  ops.open = op_not_here;
  ops.opendir = op_not_here;
  ops.flush = op_not_here;
  ops.read = op_read;
  ops.statfs = op_statfs;
  // overlayfs looks at each file for a mark of its own, until it hears that there are none at all.
  if (tree.has_xattrs()) ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.lseek = op_lseek;
  ops.ioctl = op_ioctl;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  return ops;
}

// The image root's.
Result<> dress_in_acls(const Fd& upper, const store::Tree& tree, const Ids& ids) {
  uint32_t given = S_IFDIR | tree.attr(root_ino).mode;
  uint32_t mode = given;
  for (uint32_t i = 0; i < tree.xattr_count(root_ino); ++i) {
    store::TreeXattr xattr = tree.xattr(root_ino, i);
    if (!is_acl(xattr.name)) continue;
    auto acl = lower_acl(xattr.name, xattr.value, given);
    if (acl) mode = TRY(give_acl(upper, xattr.name, *acl, shown_acl(ids, {}, *acl), mode));
  }
  return mode == given ? Result<>() : sys::chmod_at(upper, ".", mode & 07777);
}

}  // namespace

Result<> serve_image(Fd fuse_device, const ImageOptions& options) {
  std::optional<Ledger> own;
  if (options.ledger == nullptr) own.emplace(TRY(Ledger::make()));
  Instances instances(own ? *own : *options.ledger);
  Image image{lower_from_tree(options.store, options.tree), options, instances,
              options.tree.inode_count()};
  image.acls = options.tree.has_xattr(access_acl_name) || options.tree.has_xattr(default_acl_name);
  struct fuse_lowlevel_ops ops = operations(options.tree);
  auto session = TRY(FuseSession::open(std::move(fuse_device), ops, {.user_data = &image}));
  image.push_ahead = std::make_unique<PushAhead>(
      *image.lower, options.tree,
      [&](Ino ino, std::span<std::byte> content) { return store_pages(session, ino, content); },
      options.counts == nullptr ? nullptr : &options.counts->pushes);
  Askers askers = Askers::here();
  auto ended = loop(session.get(), {.device = session.device(),
                                    .threads = options.threads,
                                    .counts = options.counts,
                                    .ledger = options.ledger,
                                    .askers = askers,
                                    .helper = &image.push_ahead->works()});
  image.push_ahead.reset();  // before the session goes
  return ended;
}

Result<> dress_upper(const Fd& upper, const store::Tree& tree, bool trusted_xattrs,
                     const Ids& ids) {
  auto marks = TRY(read_marks(upper));
  if (marks.lower_number != 0) return {};
  const store::TreeAttr& attr = tree.attr(root_ino);
  TRY(remove_acls(upper));  // those that it got of the directory it was made in
  TRY(sys::chown_at(upper, ".", ids.shown_user(attr.uid), ids.shown_group(attr.gid)));
  TRY(sys::chmod_at(upper, ".", attr.mode & 07777));
  TRY(dress_in_acls(upper, tree, ids));
  std::string mark =
      Format{.trusted = trusted_xattrs, .device_whiteouts = true}.name(lower_number_mark);
  auto noted = sys::set_xattr(upper, mark.c_str(), std::to_string(root_ino));
  if (!noted && noted.error().code != EOPNOTSUPP) return noted;
  struct timespec time{static_cast<time_t>(attr.mtime_seconds), attr.mtime_nanoseconds};
  struct timespec times[2] = {time, time};
  return sys::utimens_at(upper, ".", times);
}

}  // namespace lyr::unionfs
