// SPDX-License-Identifier: Apache-2.0
#include "unionfs/format.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>

#include <charconv>

#include "base/sys_file.h"
#include "unionfs/acl.h"
#include "unionfs/override_stat.h"

namespace lyr::unionfs {
namespace {

constexpr std::string_view fuse_overlayfs_opaque = "user.fuseoverlayfs.opaque";
constexpr std::string_view label_name = "security.selinux";
constexpr std::string_view escape = "overlay.";  // after the prefix

// The length of overlayfs's prefix; 0: it has none.
size_t prefix_of(std::string_view name) {
  for (std::string_view prefix : {trusted_prefix, user_prefix})
    if (name.starts_with(prefix)) return prefix.size();
  return 0;
}

bool is_escaped(std::string_view name) {
  size_t prefix = prefix_of(name);
  return prefix > 0 && name.substr(prefix).starts_with(escape);
}

std::string_view mark_of(std::string_view name) {
  if (is_escaped(name)) return {};
  if (size_t prefix = prefix_of(name)) return name.substr(prefix);
  if (name == fuse_overlayfs_opaque) return opaque_mark;
  return {};
}

void take_mark(Marks& marks, std::string_view mark, const std::string& value) {
  if (mark == opaque_mark) {
    marks.opaque |= value == "y";
    marks.file_whiteouts |= value == "x";
  } else if (mark == redirect_mark) {
    marks.redirect = value;
  } else if (mark == whiteout_mark) {
    marks.whiteout = true;
  } else if (mark == protection_mark) {
    marks.protection = true;
  } else if (mark == lower_number_mark) {
    const char* end = value.data() + value.size();
    auto [next, error] = std::from_chars(value.data(), end, marks.lower_number);
    if (error == std::errc() && next != end && *next == ':')
      std::from_chars(next + 1, end, marks.number_of);
  }
}

}  // namespace

std::string Format::name(std::string_view mark) const {
  return std::string(trusted ? trusted_prefix : user_prefix).append(mark);
}

Result<Marks> read_marks(const Fd& fd) {
  Marks marks;
  auto names = sys::list_xattrs(fd);
  if (!names && names.error().code == EOPNOTSUPP) return marks;
  if (!names) return Failure(std::move(names).error());
  for (const std::string& name : *names) {
    std::string_view mark = mark_of(name);
    if (mark.empty()) {
      marks.others |= !is_internal_xattr(name) || is_acl(name);
      continue;
    }
    std::string value = TRY(sys::get_xattr(fd, name.c_str()));
    take_mark(marks, mark, value);
    bool roots = name.starts_with(trusted_prefix);
    if (mark == metacopy_mark) (roots ? marks.metacopy : marks.user_metacopy) = true;
    if (!roots) continue;
    if (mark == redirect_mark) marks.content_redirect = std::move(value);
  }
  return marks;
}

bool is_internal_xattr(std::string_view name) {
  return (prefix_of(name) > 0 && !is_escaped(name)) || name.starts_with(fuse_overlayfs_prefix) ||
         name.starts_with(privileged_fuse_overlayfs_prefix) || is_unsupported_xattr(name) ||
         name == containers_stat_name;
}

bool is_unsupported_xattr(std::string_view name) {
  return is_acl(name) || name == label_name || name.size() > XATTR_NAME_MAX;
}

std::string xattr_on_disk(std::string_view shown) {
  std::string name(shown);
  if (size_t prefix = prefix_of(name)) name.insert(prefix, escape);
  return name;
}

std::string shown_xattr(std::string_view on_disk) {
  std::string name(on_disk);
  if (is_escaped(name)) name.erase(prefix_of(name), escape.size());
  return name;
}

Result<uint32_t> protection_of(const Fd& fd) {
  auto status = TRY(sys::statx_at(fd, "", AT_EMPTY_PATH, 0));
  bool immutable = (status.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
  bool append_only = (status.stx_attributes & STATX_ATTR_APPEND) != 0;
  return (immutable ? uint32_t{FS_IMMUTABLE_FL} : 0) | (append_only ? uint32_t{FS_APPEND_FL} : 0);
}

bool has_no_flags(const Error& error) {
  return error.code == ENOTTY || error.code == EOPNOTSUPP || error.code == ENOSYS;
}

}  // namespace lyr::unionfs
