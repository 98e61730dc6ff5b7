// SPDX-License-Identifier: Apache-2.0
#include "base/sys_mount.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys_call.h"

namespace lyr::sys {
namespace {

Result<> set_attributes(const Fd& mount, unsigned flags, struct mount_attr attributes) {
  return check(::syscall(SYS_mount_setattr, mount.get(), "", flags | AT_EMPTY_PATH, &attributes,
                         sizeof attributes),
               "mount_setattr");
}

}  // namespace

Result<Fd> open_tree(const Fd& dir, const char* path, unsigned flags) {
  return descriptor(::open_tree(dir.get(), path, flags | OPEN_TREE_CLOEXEC), "open_tree");
}

Result<> move_mount(const Fd& mount, const Fd& target) {
  return check(::move_mount(mount.get(), "", target.get(), "",
                            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
               "move_mount");
}

Result<Fd> fsopen(const char* type) { return descriptor(::fsopen(type, FSOPEN_CLOEXEC), "fsopen"); }

Result<> fsconfig_string(const Fd& context, const char* key, const char* value) {
  return check(::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0), "fsconfig");
}

Result<> fsconfig_flag(const Fd& context, const char* key) {
  return check(::fsconfig(context.get(), FSCONFIG_SET_FLAG, key, nullptr, 0), "fsconfig");
}

Result<> fsconfig_create(const Fd& context) {
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) return {};
  int code = errno;
  // The context's log: one message a read, "e text" for an error (fsopen(2)).
  char message[256];
  ssize_t length = ::read(context.get(), message, sizeof message);
  if (length <= 2) return fail(code, "fsconfig(create)");
  return fail(code, "fsconfig(create)", std::string(message + 2, static_cast<size_t>(length) - 2));
}

Result<Fd> fsmount(const Fd& context, unsigned attributes) {
  return descriptor(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes), "fsmount");
}

Result<> mount_setattr(const Fd& mount, unsigned flags, uint64_t set, uint64_t clear) {
  return set_attributes(mount, flags, {.attr_set = set, .attr_clr = clear});
}

Result<> set_propagation(const Fd& mount, unsigned flags, uint64_t propagation) {
  return set_attributes(mount, flags, {.propagation = propagation});
}

Result<> mount_setattr_idmap(const Fd& mount, unsigned flags, const Fd& user_ns) {
  return set_attributes(
      mount, flags,
      {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = static_cast<uint64_t>(user_ns.get())});
}

Result<> mount(const char* source, const char* target, const char* type, unsigned long flags,
               const char* data) {
  return check(::mount(source, target, type, flags, data), "mount");
}

Result<> umount(const char* target, int flags) {
  return check(::umount2(target, flags), "umount2");
}

Result<> pivot_root(const char* new_root, const char* put_old) {
  return check(::syscall(SYS_pivot_root, new_root, put_old), "pivot_root");
}

}  // namespace lyr::sys
