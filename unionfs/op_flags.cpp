// SPDX-License-Identifier: Apache-2.0
// File flags, chattr's. The kernel keeps none for a FUSE inode, so that what immutable and
// append-only files forbid is seen to here, before each change, as the kernel does for others
// (fs/namei.c, may_open and may_delete; fs/attr.c, may_setattr). On disk these two are overlayfs's
// attribute (fs/overlayfs/util.c, ovl_set_protattr), and all others the upper object's own flags.
#include <linux/fs.h>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

constexpr uint32_t protecting = FS_IMMUTABLE_FL | FS_APPEND_FL;
constexpr uint32_t protecting_extended = FS_XFLAG_IMMUTABLE | FS_XFLAG_APPEND;
constexpr uint32_t copied = FS_SYNC_FL | FS_NOATIME_FL;  // with a file, as by overlayfs

bool can_have_flags(const Node& node) { return node.type == S_IFREG || node.type == S_IFDIR; }

bool is_explicit(const std::optional<struct timespec>& time) {
  return time && time->tv_nsec != UTIME_NOW;
}

// To a time that somebody has chosen. One with `changed_at` may be what the kernel has kept, if it
// comes alone, and is the present if both are one.
bool sets_modification(const AttributeChange& change) {
  if (!is_explicit(change.mtime)) return false;
  if (!change.changed_at) return true;
  bool present = change.mtime->tv_sec == change.changed_at->tv_sec &&
                 change.mtime->tv_nsec == change.changed_at->tv_nsec;
  return change.atime && !present;
}

uint32_t flags_of(const Node& node) {
  return (node.immutable ? uint32_t{FS_IMMUTABLE_FL} : 0) |
         (node.append_only ? uint32_t{FS_APPEND_FL} : 0);
}

uint32_t extended(uint32_t flags) {
  return ((flags & FS_IMMUTABLE_FL) != 0 ? uint32_t{FS_XFLAG_IMMUTABLE} : 0) |
         ((flags & FS_APPEND_FL) != 0 ? uint32_t{FS_XFLAG_APPEND} : 0) |
         ((flags & FS_SYNC_FL) != 0 ? uint32_t{FS_XFLAG_SYNC} : 0) |
         ((flags & FS_NOATIME_FL) != 0 ? uint32_t{FS_XFLAG_NOATIME} : 0) |
         ((flags & FS_NODUMP_FL) != 0 ? uint32_t{FS_XFLAG_NODUMP} : 0);
}

std::string protection_text(bool immutable, bool append_only) {
  return std::string(append_only ? "a" : "") + (immutable ? "i" : "");
}

}  // namespace

Result<> Union::learn_flags(Node& node) {
  if (node.flags_known || !file_flags_) return {};
  bool immutable = false;
  bool append_only = false;
  if (can_have_flags(node) && node.in_upper) {
    auto fd = TRY(object(node));
    auto kept = sys::get_xattr(*fd, upper_.format().name(protection_mark).c_str());
    bool none = !kept && (kept.error().code == ENODATA || kept.error().code == EOPNOTSUPP);
    if (!kept && !none) return std::unexpected(std::move(kept).error());
    uint32_t own = TRY(protection_of(*fd));  // which somebody else has given it
    immutable = (own & FS_IMMUTABLE_FL) != 0 || (kept && kept->contains('i'));
    append_only = (own & FS_APPEND_FL) != 0 || (kept && kept->contains('a'));
  } else if (can_have_flags(node)) {
    uint32_t flags = TRY(lower_->protection(node.lower));
    immutable = (flags & FS_IMMUTABLE_FL) != 0;
    append_only = (flags & FS_APPEND_FL) != 0;
  }
  node.immutable = immutable;
  node.append_only = append_only;
  node.flags_known = true;
  return {};
}

Result<> Union::may_write(Node& file, bool appends) {
  TRY(learn_flags(file));
  if (file.immutable || (file.append_only && !appends)) return fail(EPERM, "file flags");
  return {};
}

Result<> Union::may_change(Node& node) { return may_write(node, false); }

Result<> Union::may_add(Node& directory) { return may_write(directory, true); }

Result<> Union::may_remove(Node& directory, Node& node) {
  TRY(may_change(directory));
  return may_change(node);
}

// Who has a file open may go on truncating it when it has become immutable.
Result<> Union::may_set(Node& node, const AttributeChange& change) {
  TRY(learn_flags(node));
  bool times = is_explicit(change.atime) || sets_modification(change);
  if (change.mode || change.uid || change.gid || times) TRY(may_change(node));
  if (change.size && !change.is_open) TRY(may_change(node));
  if (change.size && node.append_only) return fail(EPERM, "file flags");
  bool touched = change.atime || (change.mtime && !is_explicit(change.mtime));
  return touched ? may_write(node, true) : Result<>();
}

Result<> Union::may_open(uint64_t id, Opening opening) {
  if (!opening.to_write || (!file_flags_ && privileged_)) return {};
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (file_flags_) TRY(may_write(*node, opening.appends));
  if (!privileged_) TRY(content(*node, true));
  return {};
}

Result<> Union::may_allocate(uint64_t id, int mode) {
  if (!file_flags_) return {};
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  return may_write(*node, (mode & ~FALLOC_FL_KEEP_SIZE) == 0);
}

// What flags can be asked of: of the upper, open.
Result<Fd> Union::flagged_object(Node& node) {
  auto found = TRY(object(node));
  return sys::reopen(*found, O_RDONLY);
}

// Keeps these two of a node's flags.
Result<> Union::protect(Node& node, bool immutable, bool append_only) {
  TRY(learn_flags(node));
  if (node.immutable == immutable && node.append_only == append_only) return {};
  auto fd = TRY(object(node));
  std::string text = protection_text(immutable, append_only);
  if (!text.empty()) {
    TRY(upper_.set_mark(*fd, protection_mark, text));
  } else {
    auto removed = sys::remove_xattr(*fd, upper_.format().name(protection_mark).c_str());
    bool none = !removed && (removed.error().code == ENODATA || removed.error().code == EOPNOTSUPP);
    if (!removed && !none) return removed;
  }
  node.immutable = immutable;
  node.append_only = append_only;
  return {};
}

// Of what is copied up.
Result<> Union::copy_flags(Ino ino, const Fd& object) {
  if (!file_flags_) return {};
  uint32_t flags = TRY(lower_->flags(ino));
  if ((flags & protecting) != 0) {
    auto text = protection_text((flags & FS_IMMUTABLE_FL) != 0, (flags & FS_APPEND_FL) != 0);
    auto set = upper_.set_mark(object, protection_mark, text);
    if (!set && set.error().code != EOPNOTSUPP) return set;
  }
  if ((flags & copied) == 0) return {};
  Fd fd = TRY(sys::reopen(object, O_RDONLY));
  auto own = sys::file_flags(fd);
  if (!own) return has_no_flags(own.error()) ? Result<>() : fail(own.error().code, "copy-up");
  // What the upper's file system has no such flag for is lost, as any attribute is.
  static_cast<void>(sys::set_file_flags(fd, *own | (flags & copied)));
  return {};
}

// As lsattr is told. A file of the lower's has what a copy would have been made with: ext4's mark
// of a file with extents, say, which is lost when somebody sets flags and was not told of it.
Result<uint32_t> Union::shown_flags(Node& node) {
  TRY(learn_flags(node));
  if (node.in_upper) {
    Fd fd = TRY(flagged_object(node));
    auto own = sys::file_flags(fd);
    if (!own && !has_no_flags(own.error())) return own;
    return own.value_or(0) | flags_of(node);
  }
  uint32_t flags = TRY(lower_->flags(node.lower));
  if (!upper_.present()) return flags;
  Fd work = TRY(sys::reopen(*upper_.work(), O_RDONLY));
  return (flags & ~uint32_t{FS_EXTENT_FL}) | (sys::file_flags(work).value_or(0) & FS_EXTENT_FL);
}

Result<uint32_t> Union::file_flags(uint64_t id) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (!can_have_flags(*node)) return fail(ENOTTY, "file flags");
  return shown_flags(*node);
}

Result<> Union::set_file_flags(uint64_t id, uint32_t flags) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (!can_have_flags(*node)) return fail(ENOTTY, "file flags");
  bool copies = !node->in_upper;
  uint32_t told = TRY(shown_flags(*node));
  TRY(copy_up(*node));
  doubt_mode(id);  // and its st_ctime
  Fd fd = TRY(flagged_object(*node));
  auto own = sys::file_flags(fd);
  // With these nothing of it can be changed, nor the mark be set.
  if (own && (*own & protecting) != 0) {
    TRY(sys::set_file_flags(fd, *own & ~protecting));
    node->flags_known = false;
  }
  TRY(protect(*node, (flags & FS_IMMUTABLE_FL) != 0, (flags & FS_APPEND_FL) != 0));
  uint32_t changed = (flags ^ told) & ~protecting;
  if (!own && has_no_flags(own.error()) && changed == 0) return {};
  if (!own) return std::unexpected(std::move(own).error());
  uint32_t untold = *own & ~(told | changed);  // that a copy has got from its directory
  uint32_t wanted = (flags | untold) & ~protecting;
  if (wanted == (*own & ~protecting)) return {};
  auto set = sys::set_file_flags(fd, wanted);
  if (set || !copies) return set;
  // The upper's file system may have no such flag as was the original's: what is asked for counts.
  return sys::set_file_flags(fd, ((*own & ~changed) | (flags & changed)) & ~protecting);
}

Result<struct fsxattr> Union::extended_flags(uint64_t id) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (!can_have_flags(*node)) return fail(ENOTTY, "file flags");
  struct fsxattr flags{};
  if (node->in_upper) {
    TRY(learn_flags(*node));
    Fd fd = TRY(flagged_object(*node));
    auto own = sys::extended_flags(fd);
    if (!own && !has_no_flags(own.error())) return own;
    if (own) flags = *own;
    flags.fsx_xflags |= extended(flags_of(*node));
  } else {
    flags.fsx_xflags = extended(TRY(shown_flags(*node)));
  }
  return flags;
}

Result<> Union::set_extended_flags(uint64_t id, struct fsxattr flags) {
  std::scoped_lock lock(mutex_);
  Node* node = TRY(find(id));
  if (!can_have_flags(*node)) return fail(ENOTTY, "file flags");
  bool copies = !node->in_upper;
  uint32_t told = extended(TRY(shown_flags(*node)));
  TRY(copy_up(*node));
  doubt_mode(id);
  Fd fd = TRY(flagged_object(*node));
  auto own = sys::extended_flags(fd);
  if (own && (own->fsx_xflags & protecting_extended) != 0) {
    own->fsx_xflags &= ~protecting_extended;
    TRY(sys::set_extended_flags(fd, *own));
    node->flags_known = false;
  }
  TRY(protect(*node, (flags.fsx_xflags & FS_XFLAG_IMMUTABLE) != 0,
              (flags.fsx_xflags & FS_XFLAG_APPEND) != 0));
  uint32_t changed = (flags.fsx_xflags ^ told) & ~protecting_extended;
  bool numbers = flags.fsx_projid != 0 || flags.fsx_extsize != 0 || flags.fsx_cowextsize != 0;
  if (!own && has_no_flags(own.error()) && changed == 0 && !numbers) return {};
  if (!own) return std::unexpected(std::move(own).error());
  if (copies) {  // of the numbers its caller was told 0
    flags.fsx_xflags |= own->fsx_xflags & ~(told | changed);
    if (flags.fsx_projid == 0) flags.fsx_projid = own->fsx_projid;
    if (flags.fsx_extsize == 0) flags.fsx_extsize = own->fsx_extsize;
    if (flags.fsx_cowextsize == 0) flags.fsx_cowextsize = own->fsx_cowextsize;
  }
  flags.fsx_xflags &= ~protecting_extended;
  return sys::set_extended_flags(fd, flags);
}

}  // namespace lyr::unionfs
