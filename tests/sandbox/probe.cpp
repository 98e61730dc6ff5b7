// SPDX-License-Identifier: Apache-2.0
// Runs inside the containers of the tests, linked statically: makes system calls by number and says
// what became of each, as "name: ok" or "name: ERRNO".
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/if_alg.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void say(const char* name, long result) {
  if (result == -1) {
    printf("%s: %s\n", name, strerrorname_np(errno));
  } else {
    printf("%s: ok\n", name);
  }
}

void sockets() {
  struct Family {
    const char* name;
    int family;
    int type;
    int protocol;
  };
  constexpr Family families[] = {{"unix", AF_UNIX, SOCK_STREAM, 0},
                                 {"inet", AF_INET, SOCK_STREAM, 0},
                                 {"inet6", AF_INET6, SOCK_DGRAM, 0},
                                 {"netlink route", AF_NETLINK, SOCK_RAW, 0},
                                 {"netlink xfrm", AF_NETLINK, SOCK_RAW, 6},
                                 {"netlink netfilter", AF_NETLINK, SOCK_RAW, 12},
                                 {"alg", AF_ALG, SOCK_SEQPACKET, 0},
                                 {"vsock", AF_VSOCK, SOCK_STREAM, 0},
                                 {"key", AF_KEY, SOCK_RAW, 2},
                                 {"rxrpc", AF_RXRPC, SOCK_DGRAM, AF_INET},
                                 {"tipc", AF_TIPC, SOCK_RDM, 0},
                                 {"can", AF_CAN, SOCK_RAW, 1},
                                 {"bluetooth", AF_BLUETOOTH, SOCK_RAW, 1},
                                 {"xdp", AF_XDP, SOCK_RAW, 0}};
  for (const Family& each : families) say(each.name, socket(each.family, each.type, each.protocol));
  // The kernel reads the low half of the register only, and so must the filter.
  say("alg with a high half", syscall(SYS_socket, 0x100000000L | AF_ALG, SOCK_SEQPACKET, 0));
}

// Without CAP_SYS_ADMIN most of these fail anyway; bad arguments tell a filter's EPERM or ENOSYS
// from the kernel's EFAULT, EBADF or EINVAL.
void calls() {
  constexpr unsigned long bad = ~0UL;
  say("mount", syscall(SYS_mount, bad, bad, bad, 0, 0));
  say("umount2", syscall(SYS_umount2, bad, 0));
  say("open_tree", syscall(SYS_open_tree, -1, bad, 0));
  say("move_mount", syscall(SYS_move_mount, -1, bad, -1, bad, 0));
  say("fsopen", syscall(SYS_fsopen, bad, 0));
  say("fsmount", syscall(SYS_fsmount, -1, 0, 0));
  say("mount_setattr", syscall(SYS_mount_setattr, -1, bad, 0, bad, 0));
  say("pivot_root", syscall(SYS_pivot_root, bad, bad));
  say("unshare user", syscall(SYS_unshare, CLONE_NEWUSER));
  say("setns", syscall(SYS_setns, -1, 0));
  say("clone user", syscall(SYS_clone, CLONE_NEWUSER | 0x100UL, 0, 0, 0, 0));
  say("clone3", syscall(SYS_clone3, bad, 64));
  say("bpf", syscall(SYS_bpf, 0, bad, 0));
  say("perf_event_open", syscall(SYS_perf_event_open, bad, 0, -1, -1, 0));
  say("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  say("add_key", syscall(SYS_add_key, bad, bad, bad, 0, 0));
  say("request_key", syscall(SYS_request_key, bad, bad, bad, 0));
  say("io_uring_setup", syscall(SYS_io_uring_setup, 1, bad));
  say("userfaultfd", syscall(SYS_userfaultfd, 0));
  say("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
  say("init_module", syscall(SYS_init_module, bad, 0, bad));
  say("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, bad, 0));
  say("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  say("swapon", syscall(SYS_swapon, bad, 0));
  say("syslog", syscall(SYS_syslog, 10, 0, 0));
  say("personality", syscall(SYS_personality, 0x0040000));
  say("newer than the table", syscall(900));
  say("x32 getpid", syscall(0x40000000L | SYS_getpid));
  say("ptrace", syscall(SYS_ptrace, 0x4206 /* SEIZE */, 99999, 0, 0));
  say("getpid", syscall(SYS_getpid));
}

// The i386 entry: eax = 20 (getpid) must not reach the kernel's table.
void int80() {
  long result = 20;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  errno = static_cast<int>(-result);
  say("int 0x80", result < 0 ? -1 : 0);
}

void terminal_injection() {
  char letter = 'x';
  say("TIOCSTI", ioctl(0, TIOCSTI, &letter));
  say("TIOCSTI with a high half", syscall(SYS_ioctl, 0, 0x100000000L | TIOCSTI, &letter));
  say("TIOCLINUX", ioctl(0, TIOCLINUX, &letter));
}

void descriptors() {
  for (int number = 3; number < 1024; ++number) {
    if (fcntl(number, F_GETFD) != -1) printf("leaked: %d\n", number);
  }
}

void ids() {
  gid_t group = 1;
  say("chown", chown("/tmp", 7, 7));
  say("fchownat", fchownat(AT_FDCWD, "/tmp", 7, 7, 0));
  say("setgroups", syscall(SYS_setgroups, 1, &group));
  say("setgid", syscall(SYS_setresgid, 7, 7, 7));
  say("setuid", syscall(SYS_setresuid, 7, 7, 7));
  say("mkfifo", mknod("/tmp/fifo", S_IFIFO | 0600, 0));
  say("mknod", mknod("/tmp/device", S_IFCHR | 0600, 0x103));
}

// The name of the session keyring: "keyring;uid;gid;permissions;NAME".
void keyring() {
  constexpr int describe = 6;
  constexpr int session_keyring = -3;
  char text[256];
  long length = syscall(SYS_keyctl, describe, session_keyring, text, sizeof text);
  const char* name = length > 0 ? strrchr(text, ';') : nullptr;
  puts(name != nullptr ? name + 1 : strerrorname_np(errno));
}

void uids() { printf("%d %d\n", getuid(), geteuid()); }

// A parent that forks until it may not any more, and says how often it could.
void forks() {
  int made = 0;
  for (; made < 1000; ++made) {
    pid_t child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child == -1) break;
  }
  printf("forked %d: %s\n", made, made == 1000 ? "without end" : strerrorname_np(errno));
}

}  // namespace

int main(int count, char** words) {
  struct Part {
    const char* name;
    void (*run)();
  };
  constexpr Part parts[] = {
      {"sockets", sockets}, {"calls", calls}, {"int80", int80}, {"terminal", terminal_injection},
      {"fds", descriptors}, {"ids", ids},     {"forks", forks}, {"keyring", keyring},
      {"uids", uids}};
  for (const Part& part : parts) {
    if (count > 1 && strcmp(words[1], part.name) == 0) part.run();
  }
  return 0;
}
