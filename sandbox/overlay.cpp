// SPDX-License-Identifier: Apache-2.0
#include "sandbox/overlay.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/channel.h"
#include "sandbox/preparation.h"
#include "sandbox/root.h"

namespace lyr::sandbox {
namespace {

Failure refused(const Error& error) { return fail(error.code, "overlay", describe(error)); }

Result<Fd> make_apart(const Fd& image, const Fd& changes, const Apart& apart) {
  TRY(sys::unshare(CLONE_NEWNS));
  TRY(sys::mount("", "/", "", MS_SLAVE | MS_REC));
  // overlayfs makes files as who mounts it, and through the map the host's root is nobody. The
  // capabilities stay.
  TRY(sys::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
  TRY(sys::set_gids(apart.root_gid));
  TRY(sys::set_uids(apart.root_uid));
  return mount_overlay(image, changes, OverlayRights::trusted, apart.durable);
}

}  // namespace

static Result<Fd> try_overlay(const Fd& image, const Fd& changes, OverlayRights rights,
                              bool durable) {
  // A layer has to be mounted somewhere until Linux 6.15.
  TRY(attach_root(image));
  TRY(attach_root(changes));
  constexpr int as_path = O_PATH | O_DIRECTORY | O_NOFOLLOW;
  Fd upper = TRY(sys::open_at(changes, "upper", as_path));
  Fd work = TRY(sys::open_at(changes, "work", as_path));
  Fd context = TRY(sys::fsopen("overlay"));
  TRY(sys::fsconfig_string(context, "source", "lyr"));
  TRY(sys::fsconfig_string(context, "lowerdir", sys::path_of(image).c_str()));
  TRY(sys::fsconfig_string(context, "upperdir", sys::path_of(upper).c_str()));
  TRY(sys::fsconfig_string(context, "workdir", sys::path_of(work).c_str()));
  TRY(sys::fsconfig_string(context, "xino", "on"));
  // A copy is a whole one, under one name: whatever reads the upper later needs no more than it.
  TRY(sys::fsconfig_string(context, "metacopy", "off"));
  TRY(sys::fsconfig_string(context, "index", "off"));
  if (rights == OverlayRights::user) {
    TRY(sys::fsconfig_flag(context, "userxattr"));
  } else {
    TRY(sys::fsconfig_string(context, "redirect_dir", "on"));
  }
  if (!durable) TRY(sys::fsconfig_flag(context, "volatile"));
  TRY(sys::fsconfig_create(context));
  // Its own directory there is closed to all: then not even du could tell how much there is.
  static_cast<void>(sys::chmod_at(work, "work", 0700));
  // The overlay has copies of its own. The last one attached lies on the one before.
  for (const Fd* layer : {&changes, &image})
    TRY(sys::umount(sys::path_of(*layer).c_str(), MNT_DETACH));
  return sys::fsmount(context, MOUNT_ATTR_NODEV);
}

Result<Fd> mount_overlay(const Fd& image, const Fd& changes, OverlayRights rights, bool durable) {
  auto mounted = try_overlay(image, changes, rights, durable);
  if (!mounted) return refused(mounted.error());
  return mounted;
}

Result<Fd> mount_overlay_apart(const Fd& image, const Apart& apart, const Fd& user_namespace) {
  Fd changes = TRY(open_bind({"/", "bind", apart.path, {}}));
  auto mapped = sys::mount_setattr_idmap(changes, 0, user_namespace);
  if (!mapped) {
    return fail(
        mapped.error().code, "overlay",
        "the file system of " + apart.path + " cannot map ids (" + describe(mapped.error()) + ")");
  }
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  auto child = TRY(sys::spawn([&] {
    auto made = make_apart(image, changes, apart);
    auto told = made ? tell(theirs, Step::root, 0, {}, &*made) : tell_failure(theirs, made.error());
    return told ? 0 : 1;
  }));
  theirs.reset();
  auto note = hear(ours);
  TRY(sys::wait_pidfd(child.pidfd));
  if (!note) return std::unexpected(std::move(note).error());
  if (!*note) return fail_saying(ECHILD, "the process that mounts the root was killed");
  if ((*note)->step != Step::root) return failure_of(**note);
  return std::move((*note)->fd);
}

}  // namespace lyr::sandbox
