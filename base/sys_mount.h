// SPDX-License-Identifier: Apache-2.0
// One wrapper per mount system call, as base/sys_file.h is for files. Mounts are made and moved by
// descriptor; no path is looked up again between the check and the mount.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// A mount (with OPEN_TREE_CLONE: a detached copy) of what `path` below `dir` is. An empty path with
// AT_EMPTY_PATH is `dir` itself. AT_RECURSIVE copies what is mounted below too.
Result<Fd> open_tree(const Fd& dir, const char* path, unsigned flags);
// Attaches a detached mount (or moves one) onto the file or directory that `target` is.
Result<> move_mount(const Fd& mount, const Fd& target);

// A configuration context for a new instance of a file system: "tmpfs", "proc", "fuse", ...
Result<Fd> fsopen(const char* type);
Result<> fsconfig_string(const Fd& context, const char* key, const char* value);
Result<> fsconfig_flag(const Fd& context, const char* key);
// Makes the superblock. Errors carry the kernel's own words about it where it gave some.
Result<> fsconfig_create(const Fd& context);
// A detached mount of it; `attributes`: MOUNT_ATTR_*.
Result<Fd> fsmount(const Fd& context, unsigned attributes);

// Sets and clears MOUNT_ATTR_* of a mount; with AT_RECURSIVE in `flags`, of all below it too.
Result<> mount_setattr(const Fd& mount, unsigned flags, uint64_t set, uint64_t clear = 0);
// Gives every mount of the tree a propagation type: MS_SLAVE, MS_PRIVATE, ...
Result<> set_propagation(const Fd& mount, unsigned flags, uint64_t propagation);
// An idmapped mount: ids on disk are read through the map of the user namespace `user_ns`.
Result<> mount_setattr_idmap(const Fd& mount, unsigned flags, const Fd& user_ns);

Result<> mount(const char* source, const char* target, const char* type, unsigned long flags,
               const char* data = nullptr);
Result<> umount(const char* target, int flags);
Result<> pivot_root(const char* new_root, const char* put_old);

}  // namespace lyr::sys
