// SPDX-License-Identifier: Apache-2.0
#include "base/sys_process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "base/sys_call.h"
#include "base/sys_file.h"

namespace lyr::sys {
namespace {

Result<std::optional<Ending>> wait_for(idtype_t type, id_t id, int options) {
  siginfo_t info{};
  int result = -1;
  do {
    result = ::waitid(type, id, &info, WEXITED | options);
  } while (result == -1 && errno == EINTR);
  if (result == -1) return fail_errno("waitid");
  if (info.si_pid == 0) return std::optional<Ending>();
  return std::optional<Ending>({info.si_pid, info.si_code != CLD_EXITED, info.si_status});
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (const std::string& string : strings) list.push_back(const_cast<char*>(string.c_str()));
  list.push_back(nullptr);
  return list;
}

// What the C library's fork() sees to and a bare clone does not: that the child's thread knows its
// own number, and the kernel its list of robust mutexes. Else one that it holds when it is killed
// (LMDB's, in a file that all map) would be held for ever.
struct ThreadIdentity {
  int* tid = nullptr;  // where the C library keeps it; null: the kernel does not tell
  void* robust_mutexes = nullptr;
  size_t robust_bytes = 0;

  static ThreadIdentity own() {
    ThreadIdentity own;
    static_cast<void>(::prctl(PR_GET_TID_ADDRESS, &own.tid));
    static_cast<void>(::syscall(SYS_get_robust_list, 0, &own.robust_mutexes, &own.robust_bytes));
    return own;
  }
  void take_over() const {
    static_cast<void>(::syscall(SYS_set_robust_list, robust_mutexes, robust_bytes));
  }
};

}  // namespace

Result<Child> clone_process(uint64_t flags, const Fd* cgroup) {
  const ThreadIdentity thread = ThreadIdentity::own();
  int pidfd = -1;
  struct clone_args args{};
  args.flags = flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  if (thread.tid != nullptr) args.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  args.child_tid = reinterpret_cast<uintptr_t>(thread.tid);
  // A sibling's end is told to our parent with the signal that tells ours.
  if ((flags & CLONE_PARENT) == 0) args.exit_signal = SIGCHLD;
  if (cgroup != nullptr) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup->get());
  }
  long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == -1 && errno == ENOSYS && cgroup == nullptr)
    pid = ::syscall(SYS_clone, args.flags | args.exit_signal, nullptr, &pidfd, thread.tid, nullptr);
  if (pid == -1) return fail_errno("clone3");
  if (pid == 0) thread.take_over();
  Child child;
  child.pid = static_cast<pid_t>(pid);
  if (pid != 0) child.pidfd = Fd(pidfd);  // in the child the number was never written
  return child;
}

Result<Child> spawn(const std::function<int()>& body) {
  Child child = TRY(clone_process());
  if (child.pid == 0) ::_exit(body());
  return child;
}

void name_thread(const char* name) {
  static_cast<void>(::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>(name)));
}

pid_t process_id() { return ::getpid(); }

Result<Fd> pidfd_open(pid_t pid) {
  return descriptor(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open");
}

Result<> pidfd_send_signal(const Fd& pidfd, int signal) {
  return check(::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0),
               "pidfd_send_signal");
}

Result<bool> pidfd_ended(const Fd& pidfd) {
  struct pollfd item{pidfd.get(), POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&item, 1, 0);
  } while (ready == -1 && errno == EINTR);
  if (ready == -1) return fail_errno("poll");
  return ready == 1;
}

Result<std::optional<Ending>> wait_pidfd(const Fd& pidfd, int options) {
  return wait_for(P_PIDFD, static_cast<id_t>(pidfd.get()), options);
}

Result<std::optional<Ending>> wait_any(int options) { return wait_for(P_ALL, 0, options); }

Result<std::optional<Ending>> wait_pid(pid_t pid, int options) {
  return wait_for(P_PID, static_cast<id_t>(pid), options);
}

Result<> setns(const Fd& namespaces, int types) {
  return check(::setns(namespaces.get(), types), "setns");
}

Result<> unshare(int flags) { return check(::unshare(flags), "unshare"); }

Result<int> prctl(int option, unsigned long argument, unsigned long argument3,
                  unsigned long argument4) {
  int result = ::prctl(option, argument, argument3, argument4, 0UL);
  if (result == -1) return fail_errno("prctl");
  return result;
}

Result<CapabilitySets> get_capabilities() {
  struct __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) == -1) return fail_errno("capget");
  auto join = [](uint32_t low, uint32_t high) { return static_cast<uint64_t>(high) << 32 | low; };
  CapabilitySets sets;
  sets.effective = join(data[0].effective, data[1].effective);
  sets.permitted = join(data[0].permitted, data[1].permitted);
  sets.inheritable = join(data[0].inheritable, data[1].inheritable);
  return sets;
}

Result<> set_capabilities(const CapabilitySets& sets) {
  struct __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2]{};
  for (int word = 0; word < 2; ++word) {
    data[word].effective = static_cast<uint32_t>(sets.effective >> (32 * word));
    data[word].permitted = static_cast<uint32_t>(sets.permitted >> (32 * word));
    data[word].inheritable = static_cast<uint32_t>(sets.inheritable >> (32 * word));
  }
  return check(::syscall(SYS_capset, &header, data), "capset");
}

// The raw calls: glibc's would signal every thread, which a clone3 child of ours does not have.
Result<> set_groups(std::span<const gid_t> groups) {
  return check(::syscall(SYS_setgroups, groups.size(), groups.data()), "setgroups");
}

Result<> set_uids(uid_t uid) { return check(::syscall(SYS_setresuid, uid, uid, uid), "setresuid"); }

Result<> set_gids(gid_t gid) { return check(::syscall(SYS_setresgid, gid, gid, gid), "setresgid"); }

Result<> set_hostname(std::string_view name) {
  return check(::sethostname(name.data(), name.size()), "sethostname");
}

Result<std::string> hostname() {
  struct utsname names{};
  TRY(check(::uname(&names), "uname"));
  return std::string(names.nodename);
}

Result<> set_rlimit(int resource, const struct rlimit& limit) {
  return check(::setrlimit(static_cast<__rlimit_resource>(resource), &limit), "setrlimit");
}

Result<struct rlimit> get_rlimit(int resource) {
  struct rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) == -1)
    return fail_errno("getrlimit");
  return limit;
}

Result<> set_rlimit_of(pid_t pid, int resource, const struct rlimit& limit) {
  auto which = static_cast<__rlimit_resource>(resource);
  return check(::prlimit(pid, which, &limit, nullptr), "prlimit");
}

Result<> nap(int milliseconds) {
  struct timespec time{milliseconds / 1000, milliseconds % 1000 * 1000000L};
  return check(::nanosleep(&time, nullptr), "nanosleep");
}

Result<> new_session_id() { return check(::setsid(), "setsid"); }

Result<> become_background() {
  TRY(new_session_id());
  const struct sched_param none{};
  TRY(check(::sched_setscheduler(0, SCHED_IDLE, &none), "sched_setscheduler"));
  constexpr int who_process = 1;  // linux/ioprio.h: IOPRIO_WHO_PROCESS
  constexpr int class_idle = 3 << 13;
  TRY(check(::syscall(SYS_ioprio_set, who_process, 0, class_idle), "ioprio_set"));
  Fd null = TRY(open("/dev/null", O_RDWR));
  for (int number = 0; number < 3; ++number) TRY(dup_to(null, number));
  return {};
}

Result<> stand_back() {
  struct {  // linux/sched/types.h, version 0; <sched.h> of newer C libraries has one of that name
    uint32_t size = 48;
    uint32_t policy = SCHED_OTHER;
    uint64_t flags = 0;
    int32_t nice = 19;
    uint32_t priority = 0;
    uint64_t runtime = 100'000'000;  // ns: the longest slice gives way to any shorter one
    uint64_t deadline = 0;
    uint64_t period = 0;
  } attributes;
  static_assert(sizeof attributes == 48);
  return check(::syscall(SYS_sched_setattr, 0, &attributes, 0), "sched_setattr");
}

Result<std::vector<int>> cpus_allowed() {
  cpu_set_t set;
  TRY(check(::sched_getaffinity(0, sizeof set, &set), "sched_getaffinity"));
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

namespace {

cpu_set_t set_of(std::span<const int> cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &set);
  return set;
}

}  // namespace

Result<> allow_cpus(std::span<const int> cpus) {
  cpu_set_t set = set_of(cpus);
  return check(::sched_setaffinity(0, sizeof set, &set), "sched_setaffinity");
}

Result<> allow_cpus(std::thread& thread, std::span<const int> cpus) {
  cpu_set_t set = set_of(cpus);
  int error = ::pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
  return error == 0 ? Result<>() : fail(error, "sched_setaffinity");
}

int nice_value() { return ::getpriority(PRIO_PROCESS, 0); }

int scheduling_policy() { return static_cast<int>(::syscall(SYS_sched_getscheduler, 0)); }

int current_cpu() { return ::sched_getcpu(); }

void set_umask(mode_t mask) { ::umask(mask); }

Result<> chdir(const char* path) { return check(::chdir(path), "chdir"); }

Result<> fchdir(const Fd& dir) { return check(::fchdir(dir.get()), "fchdir"); }

Result<std::string> getcwd() {
  char buffer[4096 + 32];
  // The raw call: glibc hides an unreachable directory behind a search of its own.
  long length = ::syscall(SYS_getcwd, buffer, sizeof buffer);
  if (length == -1) return fail_errno("getcwd");
  return std::string(buffer);
}

Result<> new_session_keyring() {
  return check(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr), "keyctl");
}

Result<> dup_to(const Fd& fd, int number) {
  if (fd.get() == number) return check(::fcntl(number, F_SETFD, 0), "fcntl(F_SETFD)");
  return check(::dup2(fd.get(), number), "dup2");
}

Result<> close_range(unsigned first, unsigned flags) {
  return check(::syscall(SYS_close_range, first, ~0U, flags), "close_range");
}

Error execve(const char* path, const std::vector<std::string>& args,
             const std::vector<std::string>& env) {
  ::execve(path, pointers(args).data(), pointers(env).data());
  return {errno, "execve"};
}

void return_large_memory() { ::mallopt(M_MMAP_THRESHOLD, 1 << 20); }

Result<> set_seccomp_filter(std::span<const struct sock_filter> program) {
  struct sock_fprog filter{static_cast<unsigned short>(program.size()),
                           const_cast<struct sock_filter*>(program.data())};
  return check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

Result<> ioctl(const Fd& fd, unsigned long request, unsigned long argument, const char* call) {
  return check(::ioctl(fd.get(), request, argument), call);
}

Result<int> ioctl_number(const Fd& fd, unsigned long request, unsigned long argument,
                         const char* call) {
  int number = ::ioctl(fd.get(), request, argument);
  if (number == -1) return fail_errno(call);
  return number;
}

Result<Fd> ioctl_fd(const Fd& fd, unsigned long request, unsigned long argument, const char* call) {
  return descriptor(::ioctl(fd.get(), request, argument), call);
}

}  // namespace lyr::sys
