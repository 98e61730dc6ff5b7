// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/channel.h"
#include "sandbox/id_map.h"
#include "sandbox/root.h"
#include "sandbox/sandbox.h"

namespace lyr::sandbox {
namespace {

constexpr char mount_point[] = "image";

// A user namespace with `map` and a mount namespace of it. Their first process ends at once.
Result<> enter_mapped(const IdMap& map) {
  // Else its files in /proc are root's, and so are ours where the program may not be read.
  TRY(sys::prctl(PR_SET_DUMPABLE, 1));
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  auto first = sys::clone_process(CLONE_NEWUSER | CLONE_NEWNS);
  if (!first) return explain_no_namespaces(first.error());
  if (first->pid == 0) {
    ours.reset();
    ::_exit(hear(theirs) ? 0 : 1);
  }
  theirs.reset();
  auto entered = write_id_map(first->pid, map);
  if (entered)
    entered = during("enter the image's namespaces",
                     sys::setns(first->pidfd, CLONE_NEWUSER | CLONE_NEWNS));
  ours.reset();
  TRY(sys::wait_pidfd(first->pidfd));
  return entered;
}

// An empty directory in the place of the host's tree, with `mount_point` in it; it is the working
// directory then.
Result<> leave_host_tree() {
  Fd context = TRY(sys::fsopen("tmpfs"));
  TRY(sys::fsconfig_string(context, "mode", "700"));
  TRY(sys::fsconfig_create(context));
  Fd root = TRY(sys::fsmount(context, 0));
  TRY(sys::mkdir_at(root, mount_point, 0700));
  TRY(attach_root(root));
  auto left = pivot_into(root);
  // An initramfs cannot be left; nothing is ever unmounted from one.
  if (!left && left.error().code != EINVAL) return left;
  return sys::fchdir(root);
}

}  // namespace

Result<ImageMount> ImageMount::make(const IdMap& map) {
  Fd user_namespace;
  if (is_privileged()) {
    TRY(during("make a mount namespace", sys::unshare(CLONE_NEWNS)));
  } else {
    TRY(enter_mapped(map));
    user_namespace = TRY(sys::open("/proc/self/ns/user", O_RDONLY));
  }
  TRY(during("leave the host's mounts", sys::mount("", "/", "", MS_SLAVE | MS_REC)));
  Fd device = TRY(open_fuse_device());
  TRY(during("leave the host's mounts", leave_host_tree()));
  Fd mount = TRY(during("mount the image", mount_fuse(device, FuseAccess::read_only)));
  // Until Linux 6.15 only what is mounted somewhere can be copied.
  Fd place = TRY(sys::open_at(sys::cwd(), mount_point, O_PATH | O_DIRECTORY));
  TRY(during("attach the image", sys::move_mount(mount, place)));
  return ImageMount(std::move(device), std::move(mount), std::move(user_namespace));
}

Fd ImageMount::take_device() { return std::move(device_); }

Result<Fd> ImageMount::copy() const {
  return sys::open_tree(mount_, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
}

void ImageMount::drop() {
  static_cast<void>(sys::umount(mount_point, MNT_DETACH));
  mount_.reset();
}

}  // namespace lyr::sandbox
