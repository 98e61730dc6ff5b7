// SPDX-License-Identifier: Apache-2.0
// A further process of a running container. A go-between enters the namespaces (the pid namespace
// takes only children in) and makes the program its sibling, so that the caller is its parent.
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <optional>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/cgroup.h"
#include "sandbox/channel.h"
#include "sandbox/command_line.h"
#include "sandbox/id_map.h"
#include "sandbox/identity.h"
#include "sandbox/preparation.h"
#include "sandbox/rlimits.h"
#include "sandbox/sandbox.h"
#include "sandbox/stdio.h"
#include "sandbox/terminal.h"

namespace lyr::sandbox {
namespace {

struct Guest {
  const Spec& spec;
  const Process& process;
  Fd container;  // a pidfd whose namespaces we may enter
  Cgroups cgroups;
  Preparation preparation;
};

Result<pid_t> first_number(std::string_view text, const char* what) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  pid_t pid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 0) return fail(ESRCH, what);
  return pid;
}

Result<pid_t> pid_of(const Fd& pidfd) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(pidfd.get());
  std::string text = TRY(sys::read_file_at(sys::cwd(), path.c_str()));
  size_t at = text.find("\nPid:");
  if (at == text.npos) return fail(EBADF, "pidfd");
  return first_number(std::string_view(text).substr(at + 5), "find the container's process");
}

// Pid 1 may be our own init, which keeps its address space to itself and may not be entered without
// privilege; its child is in the same namespaces and may.
Result<Fd> enterable(const Fd& container_pidfd, pid_t first, const Spec& spec) {
  if (!spec.init || is_privileged()) return sys::dup(container_pidfd);
  std::string pid = std::to_string(first);
  std::string path = "/proc/" + pid + "/task/" + pid + "/children";
  std::string children = TRY(sys::read_file_at(sys::cwd(), path.c_str()));
  return sys::pidfd_open(TRY(first_number(children, "find the container's program")));
}

Result<> enter_namespaces(const Guest& guest) {
  int types =
      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (guest.spec.new_network) types |= CLONE_NEWNET;
  TRY(during("enter the container's cgroup", enter_cgroups(guest.cgroups, 0)));
  TRY(sys::prctl(PR_SET_DUMPABLE, 0));
  TRY(during("enter the container's namespaces", sys::setns(guest.container, types)));
  auto dropped = sys::set_groups({});
  if (!dropped && !guest.spec.id_map.single) return dropped;
  TRY(sys::set_gids(0));
  TRY(sys::set_uids(0));
  TRY(sys::prctl(PR_SET_DUMPABLE, 0));
  return take_own_keyring();
}

Result<> take_container_terminal(const Guest& guest, const Fd& channel) {
  Fd root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  Fd pts = TRY(sys::open_in_root(root, "dev/pts", O_RDONLY | O_DIRECTORY));
  if (!TRY(sys::is_on_file_system(pts, DEVPTS_SUPER_MAGIC)))
    return fail_saying(ENODEV, "a terminal needs a devpts at /dev/pts");
  uid_t owner = guest.spec.id_map.single ? 0 : guest.process.user.uid;
  auto terminal = TRY(during("make a terminal", open_terminal(pts, owner)));
  TRY(during("take the terminal", take_terminal(terminal.slave)));
  return tell(channel, Step::terminal, 0, {}, &terminal.master);
}

// The program's process: inside, and on its way to the exec.
Result<> settle(Guest& guest, const Fd& channel) {
  TRY(sys::new_session_id());
  if (guest.process.terminal) {
    TRY(take_container_terminal(guest, channel));
  } else {
    TRY(install_stdio(guest.preparation.stdio));
    if (!guest.preparation.privileged)
      own_stdio(guest.preparation.stdio, guest.process.user.uid, guest.process.user.gid);
  }
  TRY(enter_working_directory(guest.process));
  return become(guest.spec, guest.process, guest.preparation.creator, channel);
}

[[noreturn]] void give_up(const Fd& channel, const Error& error) {
  static_cast<void>(tell(channel, Step::failed, error.code, describe(error)));
  ::_exit(failed_exit_code);
}

[[noreturn]] void go_inside(Guest guest, Fd channel) {
  auto ready = move_up(channel);
  for (Fd* fd :
       {&guest.preparation.stdio.in, &guest.preparation.stdio.out, &guest.preparation.stdio.err}) {
    if (ready) ready = move_up(*fd);
  }
  reset_inherited_state();
  rename_process("lyr-exec");
  if (ready) ready = enter_namespaces(guest);
  if (!ready) give_up(channel, ready.error());
  auto program = sys::clone_process(CLONE_PARENT);
  if (!program) give_up(channel, program.error());
  if (program->pid != 0) {
    static_cast<void>(tell(channel, Step::started, program->pid));
    ::_exit(0);
  }
  ready = settle(guest, channel);
  if (!ready) give_up(channel, ready.error());
  auto last = keep_only_stdio(std::move(channel));
  if (!last || !tell(*last, Step::ready)) ::_exit(failed_exit_code);
  auto start = hear(*last);
  if (!start || !*start || (*start)->step != Step::start) ::_exit(failed_exit_code);
  run_program(guest.process, *last);
}

// Hears the program out until it execs. `joined.pid` is set as soon as there is something to reap:
// also when its failure is heard before the go-between tells of it.
Result<> listen(const Fd& channel, const Process& process, Joined& joined) {
  bool ready = false;
  std::optional<Note> failed;
  while ((!ready && !failed) || joined.pid < 0) {
    auto note = TRY(hear(channel));
    if (!note && failed) break;
    if (!note) return fail_saying(ECHILD, "the container has ended");
    if (note->step == Step::warning) joined.warnings.push_back(std::move(note->text));
    if (note->step == Step::started) joined.pid = note->code;
    if (note->step == Step::terminal) joined.terminal = std::move(note->fd);
    if (note->step == Step::ready) ready = true;
    if (note->step == Step::failed) failed = std::move(*note);
  }
  if (failed) return failure_of(*failed);
  joined.pidfd = TRY(sys::pidfd_open(joined.pid));
  for (std::string& warning : set_rlimits(joined.pid, process.rlimits))
    joined.warnings.push_back(std::move(warning));
  TRY(tell(channel, Step::start));
  auto note = TRY(hear(channel));
  if (note) return failure_of(*note);
  return {};
}

}  // namespace

Result<Joined> join(const Spec& spec, const Fd& container_pidfd, const Process& process,
                    Stdio stdio, bool in_cgroups) {
  if (process.args.empty()) return fail_saying(EINVAL, "no command to run");
  pid_t first = TRY(pid_of(container_pidfd));
  Cgroups cgroups;
  if (in_cgroups) cgroups = TRY(find_cgroups(spec, first));
  Spec bare = spec;  // no mounts: they are there
  bare.mounts.clear();
  bare.root_kind = RootKind::fuse;
  bare.process = process;
  auto preparation = TRY(prepare(bare, std::move(stdio)));
  if (preparation.privileged && !process.terminal) {
    auto uid = to_host_id(spec.id_map.uids, spec.id_map.single ? 0 : process.user.uid);
    auto gid = to_host_id(spec.id_map.gids, spec.id_map.single ? 0 : process.user.gid);
    if (uid && gid) own_stdio(preparation.stdio, *uid, *gid);
  }
  Fd container = TRY(enterable(container_pidfd, first, spec));
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  auto cloned = sys::clone_process(0, cgroups.unified ? &cgroups.unified : nullptr);
  if (!cloned && cgroups.spare) cloned = sys::clone_process();
  auto between = TRY(std::move(cloned));
  if (between.pid == 0) {
    ours.reset();
    go_inside({spec, process, std::move(container), std::move(cgroups), std::move(preparation)},
              std::move(theirs));
  }
  theirs.reset();
  Joined joined;
  auto done = listen(ours, process, joined);
  static_cast<void>(sys::wait_pidfd(between.pidfd));
  if (done) return joined;
  if (joined.pid > 0) {
    if (joined.pidfd) static_cast<void>(sys::pidfd_send_signal(joined.pidfd, SIGKILL));
    ours.reset();  // it ends when it hears nothing any more
    static_cast<void>(sys::wait_pid(joined.pid));
  }
  return std::unexpected(std::move(done).error());
}

}  // namespace lyr::sandbox
