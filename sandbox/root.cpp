// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "sandbox/channel.h"

namespace lyr::sandbox {

Result<Fd> open_fuse_device() {
  auto device = sys::open("/dev/fuse", O_RDWR);
  if (device) return device;
  int code = device.error().code;
  if (code == ENOENT || code == ENODEV || code == ENXIO)
    return fail_saying(code,
                       "there is no /dev/fuse here: as root, modprobe fuse (in a container: "
                       "start it with --device /dev/fuse)");
  if (code == EACCES || code == EPERM)
    return fail_saying(code,
                       "/dev/fuse may not be opened: as root, chmod 0666 /dev/fuse, or join "
                       "the group that owns it");
  return about(std::move(device), "/dev/fuse");
}

Result<Fd> mount_fuse(const Fd& device, FuseAccess access) {
  Fd context = TRY(sys::fsopen("fuse"));
  TRY(sys::fsconfig_string(context, "source", "lyr"));
  TRY(sys::fsconfig_string(context, "fd", std::to_string(device.get()).c_str()));
  TRY(sys::fsconfig_string(context, "rootmode", "40000"));
  TRY(sys::fsconfig_string(context, "user_id", "0"));
  TRY(sys::fsconfig_string(context, "group_id", "0"));
  TRY(sys::fsconfig_flag(context, "allow_other"));
  TRY(sys::fsconfig_flag(context, "default_permissions"));
  if (access == FuseAccess::read_only) TRY(sys::fsconfig_flag(context, "ro"));
  TRY(sys::fsconfig_create(context));
  return sys::fsmount(context, 0);
}

Result<Fd> mount_directory(const Spec& spec, Preparation& preparation) {
  if (preparation.root) return std::move(preparation.root);
  return open_bind({"/", "bind", spec.root_path, {"rbind"}});
}

Result<> attach_root(const Fd& root) {
  Fd old_root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  return sys::move_mount(root, old_root);
}

Result<> pivot_into(const Fd& root) {
  TRY(sys::fchdir(root));
  // Both names are the new root: the old one ends up mounted on it, and "." then means the old.
  auto pivoted = sys::pivot_root(".", ".");
  if (!pivoted && pivoted.error().code == EINVAL)
    return fail_saying(EINVAL, "pivot_root: the host's root is an initramfs, which cannot be left");
  TRY(std::move(pivoted));
  TRY(sys::umount(".", MNT_DETACH));
  return sys::chdir("/");
}

}  // namespace lyr::sandbox
