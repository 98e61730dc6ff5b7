// SPDX-License-Identifier: Apache-2.0
// Which system calls a container may make, and what for. What no row names is answered with EPERM
// (not known when lyr was built: ENOSYS, so that programs fall back). Read when lyr is built, by
// seccomp_compile.cpp; rows that ask for arguments are there.
#pragma once

#include <cstdint>

namespace lyr::sandbox {

// What a process must have been given before a call is opened. Each level holds those before it.
enum class Level : uint8_t {
  standard,  // no more than the default capabilities
  guarded,   // any other capability: the kernel itself asks for the right one
  probing,   // CAP_BPF or CAP_PERFMON: calls that need no capability for some of their uses
  admin,     // CAP_SYS_ADMIN: mounts and namespaces, of which a user namespace needs none
};
constexpr int levels = 4;

struct SyscallRow {
  Level level;
  const char* theme;
  const char* names;  // separated by spaces
};

constexpr SyscallRow syscall_rows[] = {
    {Level::standard, "files by descriptor",
     "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range "
     "lseek dup dup2 dup3 fcntl flock fsync fdatasync sync syncfs sync_file_range ftruncate "
     "fallocate fadvise64 readahead sendfile copy_file_range splice tee vmsplice pipe pipe2 "
     "cachestat"},
    {Level::standard, "files by name",
     "open openat openat2 creat stat lstat fstat newfstatat statx statfs fstatfs access faccessat "
     "faccessat2 truncate mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link "
     "linkat "
     "symlink symlinkat readlink readlinkat getdents getdents64 getcwd chdir fchdir chroot umask "
     "utime utimes futimesat utimensat name_to_handle_at file_getattr file_setattr statmount "
     "listmount"},
    {Level::standard, "modes and attributes",
     "chmod fchmod fchmodat fchmodat2 getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr "
     "listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr getxattrat setxattrat "
     "listxattrat removexattrat"},
    {Level::standard, "watching",
     "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
     "fanotify_mark"},
    {Level::standard, "memory",
     "brk mmap mprotect munmap mremap msync mincore madvise mlock mlock2 mlockall munlock "
     "munlockall mseal remap_file_pages membarrier memfd_create memfd_secret pkey_alloc pkey_free "
     "pkey_mprotect map_shadow_stack"},
    {Level::standard, "processes and threads",
     "fork vfork execve execveat exit exit_group wait4 waitid gettid getpid getppid getpgid "
     "getpgrp "
     "setpgid getsid setsid set_tid_address get_robust_list set_robust_list rseq futex futex_waitv "
     "futex_wake futex_wait futex_requeue arch_prctl modify_ldt set_thread_area get_thread_area "
     "prctl pidfd_open pidfd_send_signal process_mrelease restart_syscall"},
    // Of one's own processes only: the kernel asks ptrace_may_access, and id maps and dumpability
    // are in its way. Debuggers, crash handlers and sanitizers use them.
    {Level::standard, "tracing of one's own", "ptrace process_vm_readv process_vm_writev"},
    {Level::standard, "signals",
     "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend "
     "rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack signalfd signalfd4 pause"},
    {Level::standard, "waiting",
     "poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait "
     "epoll_pwait2 eventfd eventfd2 io_setup io_destroy io_submit io_cancel io_getevents "
     "io_pgetevents"},
    {Level::standard, "time",
     "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer "
     "setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete "
     "timerfd_create timerfd_settime timerfd_gettime times adjtimex clock_adjtime"},
    {Level::standard, "ids that are read",
     "getuid geteuid getgid getegid getresuid getresgid getgroups capget capset"},
    {Level::standard, "limits and scheduling",
     "getrlimit setrlimit prlimit64 getrusage getpriority setpriority ioprio_get ioprio_set "
     "sched_yield sched_setaffinity sched_getaffinity sched_setparam sched_getparam "
     "sched_setscheduler sched_getscheduler sched_setattr sched_getattr sched_get_priority_max "
     "sched_get_priority_min sched_rr_get_interval getcpu"},
    {Level::standard, "sockets",
     "connect accept accept4 bind listen getsockname getpeername getsockopt setsockopt shutdown "
     "sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg"},
    {Level::standard, "System V and POSIX IPC",
     "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open "
     "mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr"},
    {Level::standard, "restricting oneself",
     "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
    {Level::standard, "the system", "uname sysinfo getrandom ioctl"},

    {Level::guarded, "other processes", "kcmp pidfd_getfd process_madvise"},
    {Level::guarded, "NUMA", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {Level::guarded, "the machine",
     "reboot acct vhangup syslog iopl ioperm init_module finit_module delete_module settimeofday "
     "clock_settime"},
    {Level::guarded, "files by handle", "open_by_handle_at"},

    {Level::probing, "programs in the kernel", "bpf perf_event_open"},

    {Level::admin, "mounts",
     "mount umount2 open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick "
     "mount_setattr pivot_root quotactl quotactl_fd fanotify_init"},
    {Level::admin, "namespaces", "unshare setns sethostname setdomainname clone3"},
};

// System calls that the libseccomp of the build may not know by name yet. The numbers from 424 on
// are the same on every architecture.
struct NewSyscall {
  const char* name;
  int number;
};
constexpr NewSyscall new_syscalls[] = {
    {"cachestat", 451},     {"fchmodat2", 452},      {"map_shadow_stack", 453},
    {"futex_wake", 454},    {"futex_wait", 455},     {"futex_requeue", 456},
    {"statmount", 457},     {"listmount", 458},      {"mseal", 462},
    {"setxattrat", 463},    {"getxattrat", 464},     {"listxattrat", 465},
    {"removexattrat", 466}, {"open_tree_attr", 467}, {"file_getattr", 468},
    {"file_setattr", 469},
};
constexpr int last_known_syscall = 469;  // Linux 6.17; what is newer is answered with ENOSYS

// With one id, these would fail though nothing is wrong; they do nothing and succeed.
constexpr const char* faked_with_one_id =
    "chown lchown fchown fchownat setuid setgid setreuid setregid setresuid setresgid setgroups "
    "setfsuid setfsgid";

}  // namespace lyr::sandbox
