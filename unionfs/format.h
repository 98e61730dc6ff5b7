// SPDX-License-Identifier: Apache-2.0
// overlayfs's on-disk words (Linux, Documentation/filesystems/overlayfs.rst): both prefixes are
// read, one is written. What is spelled here is never shown to the container nor settable by it:
// words of that kind which are its own, of an overlay within it, are escaped on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

constexpr std::string_view trusted_prefix = "trusted.overlay.";
constexpr std::string_view user_prefix = "user.overlay.";

// After the prefix.
constexpr std::string_view opaque_mark = "opaque";  // "y"; "x": may hold whiteouts made as files
constexpr std::string_view redirect_mark =
    "redirect";  // the lower directory (with metacopy: file), absolute or a sibling
constexpr std::string_view metacopy_mark = "metacopy";  // the file's content is in a layer below
constexpr std::string_view whiteout_mark = "whiteout";  // on an empty file: a whiteout
// Of the file flags "a" (append only) and "i" (immutable), which the object itself has not: who
// serves it has to change it.
constexpr std::string_view protection_mark = "protattr";
// Ours: the inode number from before copy-up, and after a colon that of the upper object. A copy of
// that, attributes and all, is another file.
constexpr std::string_view lower_number_mark = "lyr_ino";

// fuse-overlayfs's own words, which it uses beside overlayfs's. Of them "opaque" counts, and
// "override_stat": see override_stat.h.
constexpr std::string_view fuse_overlayfs_prefix = "user.fuseoverlayfs.";
constexpr std::string_view privileged_fuse_overlayfs_prefix = "security.fuseoverlayfs.";

// Where whiteouts may be device nodes and which prefix marks have.
struct Format {
  bool trusted = false;
  bool device_whiteouts = true;

  std::string name(std::string_view mark) const;
};

// What is shown of a file without its content: programs take none for a hole.
constexpr blkcnt_t blocks_of(off_t size) { return (size + 511) / 512; }

// What the marks on one upper object say.
struct Marks {
  bool opaque = false;
  bool file_whiteouts = false;  // whiteouts may be files here
  std::string redirect;         // empty: none
  uint64_t lower_number = 0;    // 0: none
  uint64_t number_of = 0;       // the upper object that this is said of; 0: any
  bool whiteout = false;
  // Of these two root's words count only: users could name any file by theirs.
  bool metacopy = false;
  std::string content_redirect;  // empty: none
  bool user_metacopy = false;    // a user's, which counts only where the mount says so
  bool protection = false;       // there is one
  bool others = false;           // there are attributes that are the container's
};
// `fd` may be O_PATH. A file system without xattrs has no marks.
Result<Marks> read_marks(const Fd& fd);

// An attribute, by its name on disk, that the container may neither see nor set.
bool is_internal_xattr(std::string_view name);
// Those of them that stand for something the union may not do: where ACLs and SELinux labels are
// not enforced, they are not pretended either. The answer is EOPNOTSUPP, after which programs
// like ls ask for no other file's. So is a name that is too long on disk.
bool is_unsupported_xattr(std::string_view name);

// Names by which the container knows attributes, and those on disk: overlayfs's prefixes are one
// level deeper there ("trusted.overlay.overlay.opaque"), as in Linux 6.7.
std::string xattr_on_disk(std::string_view shown);
std::string shown_xattr(std::string_view on_disk);  // of one that is not internal

// FS_IMMUTABLE_FL and FS_APPEND_FL, if they are the object's own flags. `fd` may be O_PATH.
Result<uint32_t> protection_of(const Fd& fd);
// Of sys::file_flags and its like: the object's file system keeps none.
bool has_no_flags(const Error& error);

}  // namespace lyr::unionfs
