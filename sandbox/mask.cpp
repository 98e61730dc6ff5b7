// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mask.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "sandbox/resolver.h"

namespace lyr::sandbox {
namespace {

Result<Fd> empty_directory() {
  Fd context = TRY(sys::fsopen("tmpfs"));
  TRY(sys::fsconfig_string(context, "nr_inodes", "1"));
  TRY(sys::fsconfig_flag(context, "ro"));
  TRY(sys::fsconfig_create(context));
  return sys::fsmount(context,
                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

// Puts `source` (detached at first; afterwards a copy of it) over `target`. Copies of one mount
// share a superblock: many tmpfs would be slow to make and to reap.
Result<> cover(const Fd& target, Fd& source, bool& attached) {
  if (!attached) {
    TRY(sys::move_mount(source, target));
    attached = true;
    return {};
  }
  Fd copy = TRY(sys::open_tree(source, "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  return sys::move_mount(copy, target);
}

}  // namespace

Result<> mask_paths(const Spec& spec, const Fd& root, Fd null) {
  Fd empty;
  bool null_attached = false;
  bool empty_attached = false;
  for (const std::string& path : spec.masked_paths) {
    Fd target = TRY(find_in_root(root, path));
    if (!target) continue;
    auto status = TRY(about(sys::stat(target), path));
    if (!S_ISDIR(status.st_mode)) {
      TRY(about(cover(target, null, null_attached), path));
      continue;
    }
    if (!empty) empty = TRY(empty_directory());
    TRY(about(cover(target, empty, empty_attached), path));
  }
  return {};
}

Result<> make_paths_read_only(const Spec& spec, const Fd& root) {
  for (const std::string& path : spec.read_only_paths) {
    Fd target = TRY(find_in_root(root, path));
    if (!target) continue;
    unsigned flags = OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE;
    Fd copy = TRY(about(sys::open_tree(target, "", flags), path));
    TRY(about(sys::mount_setattr(copy, AT_RECURSIVE, MOUNT_ATTR_RDONLY), path));
    TRY(about(sys::move_mount(copy, target), path));
  }
  return {};
}

}  // namespace lyr::sandbox
