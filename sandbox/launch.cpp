// SPDX-License-Identifier: Apache-2.0
// The creator's side of a container's start. Whatever fails, the child is killed and reaped and its
// cgroup is removed before the error is returned.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/cgroup.h"
#include "sandbox/channel.h"
#include "sandbox/enter.h"
#include "sandbox/id_map.h"
#include "sandbox/overlay.h"
#include "sandbox/preparation.h"
#include "sandbox/rlimits.h"
#include "sandbox/root.h"
#include "sandbox/sandbox.h"
#include "sandbox/stdio.h"

namespace lyr::sandbox {

struct Launch::State {
  Spec spec;
  sys::Child child;
  Fd channel;
  Fd fuse_device;
  Fd image;  // given to us, for an overlay that the child still waits for
  Fd user_namespace;
  Fd pid_namespace;
  Fd root_ids;  // the same, for that overlay
  Fd terminal;
  std::vector<std::string> warnings;
  std::vector<std::string> cgroups;  // directories, to be removed
  bool ready = false;
  bool started = false;

  ~State() {
    if (started || child.pid <= 0) return;
    static_cast<void>(sys::pidfd_send_signal(child.pidfd, SIGKILL));
    static_cast<void>(sys::wait_pidfd(child.pidfd));
    static_cast<void>(remove_cgroups(cgroups));
  }
};

namespace {

Result<> check_spec(const Spec& spec) {
  if (spec.process.args.empty()) return fail_saying(EINVAL, "no command to run");
  if (spec.id_map.uids.empty() || spec.id_map.gids.empty())
    return fail_saying(EINVAL, "the container has no id map");
  for (const Mount& mount : spec.mounts) {
    if (!mount.destination.starts_with('/'))
      return fail_saying(EINVAL, "mount destination " + mount.destination + " is not absolute");
  }
  if (spec.id_map.single) return {};
  auto uid = to_host_id(spec.id_map.uids, spec.process.user.uid);
  auto gid = to_host_id(spec.id_map.gids, spec.process.user.gid);
  if (!uid || !gid)
    return fail_saying(EINVAL, "user " + std::to_string(spec.process.user.uid) + ":" +
                                   std::to_string(spec.process.user.gid) +
                                   " is outside the container's ids, 0 to " +
                                   std::to_string(mapped_from_zero(spec.id_map.uids) - 1) +
                                   " (as root, give it more in /etc/subuid and /etc/subgid)");
  return {};
}

uint64_t namespaces_of(const Spec& spec) {
  uint64_t flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  return spec.new_network ? flags | CLONE_NEWNET : flags;
}

// A child that cannot be dumped shows its /proc files as root's, and we could not write its maps.
Result<sys::Child> clone_dumpable(uint64_t flags, const Fd* cgroup) {
  int dumpable = TRY(sys::prctl(PR_GET_DUMPABLE));
  if (dumpable == 0) TRY(sys::prctl(PR_SET_DUMPABLE, 1));
  auto child = sys::clone_process(flags, cgroup);
  if (child && child->pid == 0) return child;
  if (dumpable == 0) TRY(sys::prctl(PR_SET_DUMPABLE, 0));
  return child;
}

Result<sys::Child> clone_sibling_in(const Fd& above, uint64_t flags, const Fd* cgroup) {
  TRY(during("enter the image's user namespace", sys::setns(above, CLONE_NEWUSER)));
  auto child = clone_dumpable(flags | CLONE_PARENT, cgroup);
  if (!child) return explain_no_namespaces(child.error());
  return child;
}

// What the go-between of clone_below() tells: the child that there is, and whether it is of use.
Result<sys::Child> hear_of_child(const Fd& channel) {
  sys::Child child;
  Result<> made = fail_saying(ECHILD, "the process that makes the namespaces was killed");
  for (;;) {
    auto note = hear(channel);
    if (!note || !*note) break;
    if ((*note)->step == Step::started) {
      child = {(*note)->code, std::move((*note)->fd)};
    } else {
      made = (*note)->step == Step::ready ? Result<>() : failure_of(**note);
    }
  }
  if (made) return child;
  if (child.pid > 0) {
    static_cast<void>(sys::pidfd_send_signal(child.pidfd, SIGKILL));
    static_cast<void>(sys::wait_pidfd(child.pidfd));
  }
  return std::unexpected(std::move(made).error());
}

// clone_dumpable() in the user namespace `above`, by a go-between that enters it and makes the
// child our own. Its ids are mapped by then.
Result<sys::Child> clone_below(const Fd& above, const IdMap& map, uint64_t flags,
                               const Fd* cgroup) {
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  auto between = TRY(sys::clone_process());
  if (between.pid == 0) {
    ours.reset();
    auto child = clone_sibling_in(above, flags, cgroup);
    if (child && child->pid == 0) return child;
    Result<> mapped;
    if (child) {
      static_cast<void>(tell(theirs, Step::started, child->pid, {}, &child->pidfd));
      mapped = write_id_map(child->pid, inside_of(map));
    }
    bool done = child && mapped;
    auto told = done ? tell(theirs, Step::ready)
                     : tell_failure(theirs, child ? mapped.error() : child.error());
    ::_exit(told ? 0 : 1);
  }
  theirs.reset();
  auto child = hear_of_child(ours);
  TRY(sys::wait_pidfd(between.pidfd));
  return child;
}

Result<> write_oom_score(pid_t pid, int score) {
  std::string path = "/proc/" + std::to_string(pid) + "/oom_score_adj";
  Fd file = TRY(sys::open(path.c_str(), O_WRONLY));
  return sys::write_all(file, std::to_string(score));
}

}  // namespace

// What only we can do for the child, while it waits for `go`.
static Result<> equip(Launch::State& state, const Preparation& preparation, const Cgroups& cgroups,
                      bool mapped) {
  const Spec& spec = state.spec;
  pid_t pid = state.child.pid;
  if (!mapped) TRY(write_id_map(pid, spec.id_map));
  // Now, while the child may still be looked into: later it keeps its /proc files to itself.
  std::string namespaces = "/proc/" + std::to_string(pid) + "/ns/";
  state.user_namespace = TRY(sys::open((namespaces + "user").c_str(), O_RDONLY));
  if (spec.root_kind == RootKind::fuse)
    state.pid_namespace = TRY(sys::open((namespaces + "pid").c_str(), O_RDONLY));
  TRY(idmap_binds(spec, preparation, pid, state.warnings));
  TRY(during("enter the cgroup", enter_cgroups(cgroups, pid)));
  if (preparation.privileged && !spec.process.terminal) {
    const User& user = spec.process.user;
    auto uid = to_host_id(spec.id_map.uids, spec.id_map.single ? 0 : user.uid);
    auto gid = to_host_id(spec.id_map.gids, spec.id_map.single ? 0 : user.gid);
    if (uid && gid) own_stdio(preparation.stdio, *uid, *gid);
  }
  if (spec.process.oom_score_adj) {
    auto set = write_oom_score(pid, *spec.process.oom_score_adj);
    if (!set) state.warnings.push_back("the OOM score is not set: " + describe(set.error()));
  }
  return tell(state.channel, Step::go);
}

// Takes the child's notes up to `wanted`.
static Result<> listen_for(Launch::State& state, Step wanted) {
  for (;;) {
    auto note = TRY(hear(state.channel));
    if (!note) return fail_saying(ECHILD, "the container's first process was killed");
    if (note->step == Step::failed || note->step == Step::overlay_failed ||
        note->step == Step::exec_failed) {
      return failure_of(*note);
    }
    if (note->step == Step::warning) state.warnings.push_back(std::move(note->text));
    if (note->step == Step::fuse_device) state.fuse_device = std::move(note->fd);
    if (note->step == Step::terminal) state.terminal = std::move(note->fd);
    if (note->step == wanted) return {};
  }
}

// The child's own account of a failure, which is heard next, says more than our broken pipe.
static Result<> unless_told(Result<> told) {
  bool gone = !told && (told.error().code == EPIPE || told.error().code == ECONNRESET);
  return gone ? Result<>() : std::move(told);
}

Launch::Launch(std::unique_ptr<State> state) : state_(std::move(state)) {}
Launch::Launch(Launch&&) noexcept = default;
Launch& Launch::operator=(Launch&&) noexcept = default;
Launch::~Launch() = default;

pid_t Launch::pid() const { return state_->child.pid; }
const Fd& Launch::pidfd() const { return state_->child.pidfd; }
Fd Launch::take_fuse_device() { return std::move(state_->fuse_device); }
void Launch::give_image(Fd mount) { state_->image = std::move(mount); }
Fd Launch::take_user_namespace() { return std::move(state_->user_namespace); }
Fd Launch::take_pid_namespace() { return std::move(state_->pid_namespace); }
Fd Launch::take_terminal() { return std::move(state_->terminal); }
const std::vector<std::string>& Launch::warnings() const { return state_->warnings; }

Result<Launch> Launch::begin(const Spec& spec, Stdio stdio, const Fd& above) {
  TRY(check_spec(spec));
  auto state = std::make_unique<State>();
  state->spec = spec;
  auto preparation = TRY(prepare(spec, std::move(stdio)));
  auto cgroups = TRY(make_cgroups(spec, state->warnings));
  preparation.cgroups = cgroups.hierarchies;
  state->cgroups = cgroups.made;
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  const Fd* cgroup = cgroups.unified ? &cgroups.unified : nullptr;
  auto make_child = [&](const Fd* born_in) {
    return above ? clone_below(above, spec.id_map, namespaces_of(spec), born_in)
                 : clone_dumpable(namespaces_of(spec), born_in);
  };
  auto child = make_child(cgroup);
  if (!child && cgroups.spare) child = make_child(nullptr);
  if (!child) {
    static_cast<void>(remove_cgroups(cgroups.made));
    if (above) return fail(child.error().code, "image", describe(child.error()));
    return explain_no_namespaces(child.error());
  }
  if (child->pid == 0) {
    ours.reset();
    enter(state->spec, std::move(preparation), std::move(theirs));
  }
  state->child = std::move(*child);
  state->channel = std::move(ours);
  theirs.reset();
  TRY(unless_told(equip(*state, preparation, cgroups, above.valid())));
  if (spec.root_kind == RootKind::overlay && preparation.privileged) {
    state->root_ids = TRY(sys::dup(state->user_namespace));
  } else if (spec.root_kind == RootKind::fuse) {
    TRY(listen_for(*state, Step::fuse_device));
  }
  return Launch(std::move(state));
}

// What the child's root is made of: as root the overlay itself, shown with the container's ids.
static Result<> give_root(Launch::State& state) {
  const Spec& spec = state.spec;
  if (!state.image) return fail_saying(EINVAL, "the container has no image");
  Fd image = std::move(state.image);
  if (!state.root_ids) return tell(state.channel, Step::image, 0, {}, &image);
  Apart apart{.path = spec.root_path, .durable = spec.durable_root};
  apart.root_uid = TRY(to_host_id(spec.id_map.uids, 0));
  apart.root_gid = TRY(to_host_id(spec.id_map.gids, 0));
  Fd ids = std::move(state.root_ids);
  Fd root = TRY(mount_overlay_apart(image, apart, ids));
  return tell(state.channel, Step::root, 0, {}, &root);
}

Result<> Launch::finish() {
  if (state_->ready) return {};
  if (state_->spec.root_kind == RootKind::overlay) TRY(unless_told(give_root(*state_)));
  TRY(listen_for(*state_, Step::ready));
  for (std::string& warning : set_rlimits(state_->child.pid, state_->spec.process.rlimits))
    state_->warnings.push_back(std::move(warning));
  state_->ready = true;
  return {};
}

Result<> Launch::start() {
  TRY(finish());
  TRY(tell(state_->channel, Step::start));
  auto note = TRY(hear(state_->channel));
  if (note) return failure_of(*note);
  state_->started = true;
  state_->channel.reset();
  return {};
}

Result<> Launch::remove_cgroup() const { return remove_cgroups(state_->cgroups); }

}  // namespace lyr::sandbox
