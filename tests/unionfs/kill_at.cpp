// SPDX-License-Identifier: Apache-2.0
#include "tests/unionfs/kill_at.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/check.h"

namespace lyr::unionfs {
namespace {

// What only looks is no place of its own: nothing is different before it and after it.
bool only_looks(uint64_t call, uint64_t open_flags) {
  static const std::set<uint64_t> looks = {
      SYS_read,          SYS_pread64,    SYS_fstat,     SYS_newfstatat, SYS_statx,
      SYS_fstatfs,       SYS_lseek,      SYS_fcntl,     SYS_poll,       SYS_ppoll,
      SYS_futex,         SYS_getdents64, SYS_fgetxattr, SYS_lgetxattr,  SYS_getxattr,
      SYS_flistxattr,    SYS_llistxattr, SYS_listxattr, SYS_close,      SYS_readlinkat,
      SYS_clock_gettime, SYS_mmap,       SYS_munmap,    SYS_brk};
  return looks.contains(call) || (call == SYS_openat && (open_flags & O_CREAT) == 0);
}

// Whether a thread is before or after a call that counts; `looks` is kept from one to the other.
bool is_a_place(pid_t thread, bool& looks) {
  __ptrace_syscall_info info{};
  ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) looks = only_looks(info.entry.nr, info.entry.args[2]);
  return !looks;
}

// Those that the server has, each with what is_a_place() keeps.
std::map<pid_t, bool> take_threads(pid_t server) {
  std::map<pid_t, bool> threads;
  std::string list = "/proc/" + std::to_string(server) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(list))
    threads[std::stoi(entry.path().filename())] = true;
  for (const auto& [thread, looks] : threads) {
    CHECK(ptrace(PTRACE_SEIZE, thread, nullptr, PTRACE_O_TRACESYSGOOD) == 0);
    CHECK(ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0);
  }
  return threads;
}

}  // namespace

bool kill_at(int point, pid_t server, pid_t client, Fd go) {
  auto threads = take_threads(server);
  go.reset();
  bool killed = false;
  bool reaped = false;  // its keeper hears of it then
  bool ended = false;
  int status = 0;
  while (!ended || (killed && !reaped)) {
    pid_t stopped = waitpid(-1, &status, __WALL);
    CHECK(stopped > 0);
    if (stopped == client) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "client " << status;
      ended = true;
    } else if (!WIFSTOPPED(status)) {
      reaped |= stopped == server;
    } else if (auto thread = threads.find(stopped); thread != threads.end()) {
      bool at_call = WSTOPSIG(status) == (SIGTRAP | 0x80);
      if (at_call && is_a_place(stopped, thread->second) && point-- == 0) {
        kill(server, SIGKILL);
        killed = true;
      }
      ptrace(PTRACE_SYSCALL, stopped, nullptr, nullptr);
    }
  }
  if (killed) return true;
  for (const auto& [thread, looks] : threads) {
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
    CHECK(waitpid(thread, &status, __WALL) == thread);
    ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  }
  return false;
}

}  // namespace lyr::unionfs
