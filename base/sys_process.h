// SPDX-License-Identifier: Apache-2.0
// One wrapper per process system call, as base/sys_file.h is for files. Processes are named by
// pidfd where the kernel lets us: a pid may be another process by the time a signal is sent.
#pragma once

#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// A child process. In the child itself `pid` is 0 and `pidfd` empty.
struct Child {
  pid_t pid = -1;
  Fd pidfd;
};
// clone3 as fork: no memory is shared, SIGCHLD at the end. `namespaces`: CLONE_NEW*, or 0.
// `cgroup`: a cgroup-v2 directory to be born in. Only from a single-threaded process, since the
// child has the caller's thread alone. CLONE_PARENT may be among the flags: a sibling. Where clone3
// is refused as unknown (container engines' seccomp profiles), clone serves, without `cgroup`.
Result<Child> clone_process(uint64_t flags = 0, const Fd* cgroup = nullptr);
// A child that runs `body` and exits with what it returns (its atexit handlers do not run).
Result<Child> spawn(const std::function<int()>& body);

pid_t process_id();
// How the calling thread shows in ps and perf: at most 15 bytes.
void name_thread(const char* name);

Result<Fd> pidfd_open(pid_t pid);
Result<> pidfd_send_signal(const Fd& pidfd, int signal);
// Whether the process has ended, reaped or not: ESRCH and a readable pidfd are "yes".
Result<bool> pidfd_ended(const Fd& pidfd);

// How a child ended.
struct Ending {
  pid_t pid = 0;
  bool signaled = false;
  int value = 0;  // exit status, or signal number
  // As a shell and docker say it: the status, or 128 + the signal.
  int shell_code() const { return signaled ? 128 + value : value; }
};
// Reaps. With WNOHANG in `options`: nothing when it still runs. ECHILD: not a child of ours.
Result<std::optional<Ending>> wait_pidfd(const Fd& pidfd, int options = 0);
// Any child at all.
Result<std::optional<Ending>> wait_any(int options = 0);
Result<std::optional<Ending>> wait_pid(pid_t pid, int options = 0);

Result<> setns(const Fd& namespaces, int types);
Result<> unshare(int flags);
// prctl(2), for options that take numbers.
Result<int> prctl(int option, unsigned long argument = 0, unsigned long argument3 = 0,
                  unsigned long argument4 = 0);

// Bit N is capability N (linux/capability.h).
struct CapabilitySets {
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
};
Result<CapabilitySets> get_capabilities();
Result<> set_capabilities(const CapabilitySets& sets);

Result<> set_groups(std::span<const gid_t> groups);
// Real, effective and saved at once; of the calling thread's process.
Result<> set_uids(uid_t uid);
Result<> set_gids(gid_t gid);
Result<> set_hostname(std::string_view name);
Result<std::string> hostname();
Result<> set_rlimit(int resource, const struct rlimit& limit);
Result<struct rlimit> get_rlimit(int resource);
// Of another process.
Result<> set_rlimit_of(pid_t pid, int resource, const struct rlimit& limit);
// Blocks for about `milliseconds`.
Result<> nap(int milliseconds);
Result<> new_session_id();  // setsid
// A session of its own, no standard streams, and CPU and disk only when nobody else wants them.
Result<> become_background();
Result<> chdir(const char* path);
// The calling thread runs when its CPU has nothing else to do, and is there and then taken from it
// by whoever wants to (as far as Linux 6.12 lets it say so; before, within a tick).
Result<> stand_back();
// The CPUs that the calling thread may run on, in ascending order.
Result<std::vector<int>> cpus_allowed();
Result<> allow_cpus(std::span<const int> cpus);
Result<> allow_cpus(std::thread& thread, std::span<const int> cpus);
int current_cpu();
int nice_value();         // of the calling thread, -20..19
int scheduling_policy();  // SCHED_OTHER, ...
void set_umask(mode_t mask);
Result<> fchdir(const Fd& dir);
// The working directory. Where it is outside the root it starts with "(unreachable)".
Result<std::string> getcwd();
// Joins a new, nameless session keyring, so that the caller's keys stay the caller's.
Result<> new_session_keyring();

// Makes `fd` descriptor `number` (not close-on-exec); they may be equal.
Result<> dup_to(const Fd& fd, int number);
// Closes every descriptor from `first` on; with CLOSE_RANGE_CLOEXEC, at the exec.
Result<> close_range(unsigned first, unsigned flags = 0);
// Does not return on success.
Error execve(const char* path, const std::vector<std::string>& args,
             const std::vector<std::string>& env);

// From here on memory of 1 MiB and more goes back to the kernel as soon as it is freed. By itself
// malloc (mallopt(3), M_MMAP_THRESHOLD) keeps up to 32 MiB pieces once it has seen one freed.
void return_large_memory();

// Installs a filter with SECCOMP_SET_MODE_FILTER.
Result<> set_seccomp_filter(std::span<const struct sock_filter> program);
// ioctls on namespaces and terminals that take or give descriptors or numbers.
Result<> ioctl(const Fd& fd, unsigned long request, unsigned long argument = 0,
               const char* call = "ioctl");
Result<int> ioctl_number(const Fd& fd, unsigned long request, unsigned long argument = 0,
                         const char* call = "ioctl");
Result<Fd> ioctl_fd(const Fd& fd, unsigned long request, unsigned long argument = 0,
                    const char* call = "ioctl");

}  // namespace lyr::sys
