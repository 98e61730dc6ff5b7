// SPDX-License-Identifier: Apache-2.0
// Runs something and kills it at one of its system calls that change a file, for tests that try
// each of them in turn.
#pragma once

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>
#include <set>

#include "base/check.h"
#include "base/sys_process.h"
#include "tests/store/tree_text.h"

namespace lyr::store {

inline bool changes_something(const __ptrace_syscall_info& info) {
  static const std::set<uint64_t> calls = {
      SYS_write,     SYS_pwrite64, SYS_pwritev,  SYS_writev,    SYS_fsync,          SYS_fdatasync,
      SYS_mkdirat,   SYS_linkat,   SYS_unlinkat, SYS_renameat2, SYS_renameat,       SYS_ftruncate,
      SYS_fallocate, SYS_flock,    SYS_msync,    SYS_munmap,    SYS_sync_file_range};
  bool makes_file = info.entry.nr == SYS_openat && (info.entry.args[2] & O_CREAT) != 0;
  return makes_file || calls.contains(info.entry.nr);
}

// Runs `body` in a child and kills it as it enters its `point`th call that changes something.
// Whether it was killed; when it came to its end before that, it must have succeeded.
inline bool killed_at(int point, const std::function<int()>& body) {
  sys::Child child = must(sys::spawn([&] {
    CHECK(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
    static_cast<void>(::raise(SIGSTOP));
    return body();
  }));
  int status = 0;
  CHECK(::waitpid(child.pid, &status, 0) == child.pid && WIFSTOPPED(status));
  constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  CHECK(::ptrace(PTRACE_SETOPTIONS, child.pid, nullptr, options) == 0);
  pid_t stopped = child.pid;
  long signal = 0;
  for (;;) {
    ::ptrace(PTRACE_SYSCALL, stopped, nullptr, signal);
    signal = 0;
    stopped = ::waitpid(-1, &status, __WALL);
    CHECK(stopped > 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (stopped != child.pid) continue;  // a thread
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
      return false;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      ::ptrace(PTRACE_GET_SYSCALL_INFO, stopped, sizeof info, &info);
      bool counts = info.op == PTRACE_SYSCALL_INFO_ENTRY && changes_something(info);
      if (counts && point-- == 0) break;
    } else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP) {
      signal = WSTOPSIG(status);
    }
  }
  must(sys::pidfd_send_signal(child.pidfd, SIGKILL));
  while (::waitpid(-1, &status, __WALL) > 0) {
  }
  return true;
}

}  // namespace lyr::store
