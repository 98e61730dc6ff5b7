// SPDX-License-Identifier: Apache-2.0
#include "sandbox/identity.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "sandbox/capabilities.h"
#include "sandbox/channel.h"
#include "sandbox/resolver.h"
#include "sandbox/seccomp.h"

namespace lyr::sandbox {
namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A signal that the creator ignores or blocks would stay so in the program.
void reset_signals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<> set_ids(const Process& process, bool single, const Fd& channel) {
  User user = process.user;
  if (single) {
    // setgroups is denied, and no other id exists.
    if (user.uid != 0 || user.gid != 0) {
      TRY(tell(channel, Step::warning, 0,
               "only id 0 is mapped: the program runs as 0:0 and not as " +
                   std::to_string(user.uid) + ":" + std::to_string(user.gid) +
                   " (lyr info says how to get more)"));
    }
    return {};
  }
  // The primary group is among the supplementary ones, or a group that is denied something could
  // be dropped to get it (CVE-2022-2989).
  std::vector<gid_t> groups(user.additional_gids.begin(), user.additional_gids.end());
  if (std::find(groups.begin(), groups.end(), user.gid) == groups.end())
    groups.insert(groups.begin(), user.gid);
  TRY(during("set the groups", sys::set_groups(groups)));
  TRY(during("set the group id", sys::set_gids(user.gid)));
  // CAP_SYS_ADMIN stays until the seccomp filter is in.
  TRY(sys::prctl(PR_SET_KEEPCAPS, 1));
  TRY(during("set the user id", sys::set_uids(user.uid)));
  return {};
}

// The file that `args[0]` is in the PATH of `env`, tried in turn; yields the error worth telling.
int try_exec(const Process& process) {
  const std::string& name = process.args[0];
  if (name.empty()) return ENOENT;
  if (name.find('/') != name.npos) return sys::execve(name.c_str(), process.args, process.env).code;
  std::string_view path = default_path;
  for (const std::string& variable : process.env) {
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  }
  int code = ENOENT;
  for (bool more = true; more;) {
    size_t colon = path.find(':');
    more = colon != path.npos;
    std::string candidate(path.substr(0, colon));
    if (more) path.remove_prefix(colon + 1);
    candidate = (candidate.empty() ? "." : candidate) + "/" + name;
    int failed = sys::execve(candidate.c_str(), process.args, process.env).code;
    if (failed != ENOENT && failed != ENOTDIR) code = failed;
    // What is there but does not run ends the search, except for a matter of permission.
    if (failed != ENOENT && failed != ENOTDIR && failed != EACCES) return failed;
  }
  return code;
}

}  // namespace

void reset_inherited_state() {
  reset_signals();
  ::umask(022);
}

Result<> take_own_keyring() {
  auto keyring = sys::new_session_keyring();
  // A kernel without keys has none to share. Without quota for a keyring the caller's would be
  // shared: then we do not start.
  if (!keyring && keyring.error().code != ENOSYS)
    return during("make a session keyring", std::move(keyring));
  return {};
}

Result<> enter_working_directory(const Process& process) {
  const std::string& path = process.cwd;
  if (!path.starts_with('/'))
    return fail_saying(EINVAL, "the working directory " + path + " is not an absolute path");
  Fd root = TRY(sys::open("/", O_PATH | O_DIRECTORY));
  auto directory = sys::open_in_root(root, path.c_str(), O_PATH | O_DIRECTORY);
  if (!directory && directory.error().code == ENOENT)
    return fail_saying(ENOENT, "the working directory " + path + " is not in the container");
  Fd opened = TRY(during("enter the working directory", about(std::move(directory), path)));
  TRY(during("enter the working directory", sys::fchdir(opened)));
  auto where = TRY(sys::getcwd());
  if (!where.starts_with('/'))
    return fail_saying(EPERM, "the working directory " + path + " is outside the container");
  return {};
}

Result<> become(const Spec& spec, const Process& process, const Fd& creator, const Fd& channel) {
  uint64_t wanted = TRY(capability_set(process.capabilities));
  TRY(during("bound the capabilities", bound_capabilities(wanted)));
  TRY(set_ids(process, spec.id_map.single, channel));
  // After the ids, whose change clears it. A creator that died before is seen by its pidfd.
  if (!process.outlives_creator) {
    TRY(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
    if (TRY(sys::pidfd_ended(creator))) return fail(ECHILD, "creator");
  }
  if (process.no_new_privileges) TRY(sys::prctl(PR_SET_NO_NEW_PRIVS, 1));
  // A filter needs no_new_privs or CAP_SYS_ADMIN; the set keeps that one bit until it is loaded.
  uint64_t last = capability_bit(CAP_SYS_ADMIN);
  bool root = process.user.uid == 0 || spec.id_map.single;
  uint64_t kept = root ? wanted : 0;
  TRY(sys::set_capabilities({kept | last, kept | last, 0}));
  TRY(sys::prctl(PR_SET_KEEPCAPS, 0));
  if (spec.seccomp == SeccompProfile::standard)
    TRY(during("load the seccomp filter", load_seccomp(wanted, spec.id_map.single)));
  return during("set the capabilities", sys::set_capabilities({kept, kept, 0}));
}

Result<Fd> keep_only_stdio(Fd channel) {
  constexpr int channel_number = 3;
  if (channel.get() != channel_number) {
    TRY(sys::dup_to(channel, channel_number));
    channel = Fd(channel_number);
  }
  TRY(sys::close_range(channel_number, CLOSE_RANGE_CLOEXEC));
  TRY(sys::close_range(channel_number + 1));
  return channel;
}

void run_program(const Process& process, const Fd& channel) {
  if (process.body) {
    // The channel's end tells that it runs, as an exec would.
    static_cast<void>(sys::close_range(channel.get()));
    ::_exit(process.body());
  }
  int code = process.args.empty() ? EINVAL : try_exec(process);
  std::string_view name = process.args.empty() ? "" : std::string_view(process.args[0]);
  static_cast<void>(tell(channel, Step::exec_failed, code, name));
  ::_exit(code == ENOENT || code == ENOTDIR ? 127 : 126);
}

}  // namespace lyr::sandbox
