// SPDX-License-Identifier: Apache-2.0
#include "sandbox/enter.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "sandbox/channel.h"
#include "sandbox/dev.h"
#include "sandbox/identity.h"
#include "sandbox/mask.h"
#include "sandbox/mounts.h"
#include "sandbox/network.h"
#include "sandbox/overlay.h"
#include "sandbox/resolver.h"
#include "sandbox/root.h"
#include "sandbox/stdio.h"
#include "sandbox/terminal.h"

namespace lyr::sandbox {
namespace {

// What comes with the note, if anything.
Result<Fd> await(const Fd& channel, Step step) {
  auto note = TRY(hear(channel));
  if (!note || note->step != step) return fail(ECONNABORTED, "await");
  return std::move(note->fd);
}

// Id 0 of our user namespace; until now we were the creator's id, as which /dev/fuse is opened.
Result<> become_namespace_root(bool single) {
  auto dropped = sys::set_groups({});
  // Denied with a map of one's own making: the groups of the caller stay, as nobody's.
  if (!dropped && !single) return during("drop the groups", std::move(dropped));
  TRY(during("become the container's root", sys::set_gids(0)));
  TRY(during("become the container's root", sys::set_uids(0)));
  // Nothing of us may be read or traced from inside until the exec (CVE-2016-9962, CVE-2019-5736).
  TRY(sys::prctl(PR_SET_DUMPABLE, 0));
  return {};
}

// Of `device` no copy stays with us.
Result<Fd> mount_root(const Spec& spec, Preparation& preparation, Fd device, const Fd& channel) {
  if (spec.root_kind == RootKind::directory)
    return during("open the root", mount_directory(spec, preparation));
  if (spec.root_kind == RootKind::fuse) {
    Fd mount = TRY(during("mount the root", mount_fuse(device, FuseAccess::read_write)));
    // Our copy goes: when the server ends, the connection must end with it.
    TRY(tell(channel, Step::fuse_device, 0, {}, &device));
    return mount;
  }
  // With privilege it is made by the creator, whose rights overlayfs then acts with.
  if (preparation.privileged) return await(channel, Step::root);
  Fd changes =
      TRY(during("open the upper directory", open_bind({"/", "bind", spec.root_path, {}})));
  Fd image = TRY(await(channel, Step::image));
  return mount_overlay(image, changes, OverlayRights::user, spec.durable_root);
}

Result<> give_terminal(const Spec& spec, const Mounted& mounted, const Fd& channel) {
  if (!mounted.pts) return fail_saying(ENODEV, "a terminal needs a devpts at /dev/pts");
  uid_t owner = spec.id_map.single ? 0 : spec.process.user.uid;
  auto terminal = TRY(during("make a terminal", open_terminal(mounted.pts, owner)));
  if (mounted.dev) TRY(during("bind /dev/console", bind_console(mounted.dev, terminal.slave)));
  TRY(during("take the terminal", take_terminal(terminal.slave)));
  return tell(channel, Step::terminal, 0, {}, &terminal.master);
}

// Everything that needs the host's tree or the container's full root.
Result<> build(const Spec& spec, Preparation& preparation, Fd fuse_device, const Fd& channel) {
  TRY(during("make a cgroup namespace", sys::unshare(CLONE_NEWCGROUP)));
  TRY(become_namespace_root(spec.id_map.single));
  TRY(take_own_keyring());
  TRY(sys::new_session_id());
  // Nothing we mount may reach the host, even where its tree is shared.
  TRY(during("leave the host's mounts", sys::mount("", "/", "", MS_SLAVE | MS_REC)));
  Fd root = TRY(mount_root(spec, preparation, std::move(fuse_device), channel));
  TRY(during("attach the root", attach_root(root)));
  Fd null = TRY(during("bind /dev/null", bind_host_null()));
  auto mounted = TRY(make_mounts(spec, preparation, root, channel));
  if (spec.process.terminal) {
    TRY(give_terminal(spec, mounted, channel));
  } else {
    TRY(install_stdio(preparation.stdio));
  }
  TRY(during("enter the root", pivot_into(root)));
  if (spec.new_network) TRY(during("bring up the loopback", bring_loopback_up()));
  TRY(write_sysctls(spec, mounted.proc, channel));
  TRY(during("set the host name", sys::set_hostname(spec.hostname)));
  // Made before the root is read-only, entered after the masks are on.
  TRY(during("make the working directory", directory_in_root(root, spec.process.cwd)));
  TRY(during("mask", mask_paths(spec, root, std::move(null))));
  TRY(during("make read-only", make_paths_read_only(spec, root)));
  if (spec.root_read_only)
    TRY(during("make the root read-only", sys::mount_setattr(root, 0, MOUNT_ATTR_RDONLY)));
  return {};
}

Result<Fd> set_up(const Spec& spec, Preparation& preparation, Fd channel) {
  TRY(move_up(channel));
  for (Fd* fd : {&preparation.stdio.in, &preparation.stdio.out, &preparation.stdio.err})
    TRY(move_up(*fd));
  reset_inherited_state();
  Fd fuse_device;
  if (spec.root_kind == RootKind::fuse) fuse_device = TRY(open_fuse_device());
  TRY(await(channel, Step::go));
  TRY(build(spec, preparation, std::move(fuse_device), channel));
  if (!preparation.privileged)
    own_stdio(preparation.stdio, spec.process.user.uid, spec.process.user.gid);
  TRY(enter_working_directory(spec.process));
  TRY(become(spec, spec.process, preparation.creator, channel));
  return channel;
}

}  // namespace

void enter(const Spec& spec, Preparation preparation, Fd channel) {
  // The copy tells of a failure; the set-up moves the channel's own descriptor about.
  auto teller = sys::dup(channel, 100);
  auto ready = set_up(spec, preparation, std::move(channel));
  if (!ready) {
    if (teller) static_cast<void>(tell_failure(*teller, ready.error()));
    ::_exit(failed_exit_code);
  }
  auto last = keep_only_stdio(std::move(*ready));
  if (!last || !tell(*last, Step::ready) || !await(*last, Step::start)) ::_exit(failed_exit_code);
  if (spec.init) run_under_init(spec.process, std::move(*last));
  run_program(spec.process, *last);
}

}  // namespace lyr::sandbox
