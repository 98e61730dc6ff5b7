// SPDX-License-Identifier: Apache-2.0
// A seccomp filter makes the calls in the table stop (SECCOMP_RET_TRACE); ptrace does the rest.
#include "tests/store/traced.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

// Where a call has the file it works on.
struct Traceable {
  uint64_t number;
  const char* name;
  int descriptor = -1;  // an argument that is one; -1: none
  int path = -1;        // an argument that is a directory's, followed by a path; -1: none
  int new_path = -1;    // the same, of the second name
  bool changes = false;
};

constexpr Traceable traceable[] = {
    {.number = SYS_openat, .name = "openat", .path = 0},
    {.number = SYS_newfstatat, .name = "newfstatat", .path = 0},
    {.number = SYS_mkdirat, .name = "mkdirat", .path = 0, .changes = true},
    {.number = SYS_unlinkat, .name = "unlinkat", .path = 0, .changes = true},
    {.number = SYS_linkat, .name = "linkat", .path = 0, .new_path = 2, .changes = true},
    {.number = SYS_renameat, .name = "renameat", .path = 0, .new_path = 2, .changes = true},
    {.number = SYS_renameat2, .name = "renameat2", .path = 0, .new_path = 2, .changes = true},
    {.number = SYS_read, .name = "read", .descriptor = 0},
    {.number = SYS_pread64, .name = "pread64", .descriptor = 0},
    {.number = SYS_preadv, .name = "preadv", .descriptor = 0},
    {.number = SYS_fstat, .name = "fstat", .descriptor = 0},
    {.number = SYS_lseek, .name = "lseek", .descriptor = 0},
    {.number = SYS_getdents64, .name = "getdents64", .descriptor = 0},
    {.number = SYS_ioctl, .name = "ioctl", .descriptor = 0},
    {.number = SYS_fcntl, .name = "fcntl", .descriptor = 0},
    {.number = SYS_mmap, .name = "mmap", .descriptor = 4},
    {.number = SYS_munmap, .name = "munmap", .changes = true},
    {.number = SYS_msync, .name = "msync", .changes = true},
    {.number = SYS_write, .name = "write", .descriptor = 0, .changes = true},
    {.number = SYS_writev, .name = "writev", .descriptor = 0, .changes = true},
    {.number = SYS_pwrite64, .name = "pwrite64", .descriptor = 0, .changes = true},
    {.number = SYS_pwritev, .name = "pwritev", .descriptor = 0, .changes = true},
    {.number = SYS_copy_file_range, .name = "copy_file_range", .descriptor = 2, .changes = true},
    {.number = SYS_ftruncate, .name = "ftruncate", .descriptor = 0, .changes = true},
    {.number = SYS_fallocate, .name = "fallocate", .descriptor = 0, .changes = true},
    {.number = SYS_fsync, .name = "fsync", .descriptor = 0, .changes = true},
    {.number = SYS_fdatasync, .name = "fdatasync", .descriptor = 0, .changes = true},
    {.number = SYS_sync_file_range, .name = "sync_file_range", .descriptor = 0, .changes = true},
    {.number = SYS_flock, .name = "flock", .descriptor = 0, .changes = true},
};

const Traceable& row_of(uint64_t number) {
  const auto* row = std::ranges::find(traceable, number, &Traceable::number);
  CHECK(row != std::end(traceable));
  return *row;
}

// In the child: from here on the calls of the table stop.
void stop_at_calls() {
  std::vector<sock_filter> program;
  constexpr auto number_at = static_cast<uint32_t>(offsetof(seccomp_data, nr));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number_at));
  for (const Traceable& row : traceable) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(row.number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
}

std::string link_target(const std::string& path) {
  return sys::readlink_at(sys::cwd(), path.c_str()).value_or("");
}

TracedCall call_of(pid_t thread) {
  __ptrace_syscall_info info{};
  CHECK(::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0);
  CHECK(info.op == PTRACE_SYSCALL_INFO_SECCOMP);
  TracedCall call{.thread = thread, .number = info.seccomp.nr};
  std::ranges::copy(info.seccomp.args, call.arguments.begin());
  return call;
}

void set_result(pid_t thread, int64_t result, bool skip) {
  user_regs_struct registers{};
  CHECK(::ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0);
  if (skip) registers.orig_rax = static_cast<unsigned long long>(-1);
  registers.rax = static_cast<unsigned long long>(result);
  CHECK(::ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0);
}

// Of a write: of its bytes, or of its buffers.
void halve(const TracedCall& call) {
  user_regs_struct registers{};
  CHECK(::ptrace(PTRACE_GETREGS, call.thread, nullptr, &registers) == 0);
  registers.rdx = call.arguments[2] / 2;
  CHECK(::ptrace(PTRACE_SETREGS, call.thread, nullptr, &registers) == 0);
}

// Lets the stopped call happen while no other is looked at; what it returned.
int64_t result_of(pid_t thread) {
  int status = 0;
  CHECK(::ptrace(PTRACE_SYSCALL, thread, nullptr, 0) == 0);
  CHECK(::waitpid(thread, &status, __WALL) == thread);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
  __ptrace_syscall_info info{};
  CHECK(::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0);
  CHECK(info.op == PTRACE_SYSCALL_INFO_EXIT);
  return info.exit.rval;
}

// False: it is to be killed.
bool carry_out(const Decision& decision, const TracedCall& call, const Tracer& tracer) {
  using Kind = Decision::Kind;
  if (decision.kind == Kind::kill) return false;
  if (decision.kind == Kind::halve) halve(call);
  if (decision.kind == Kind::refuse) set_result(call.thread, -decision.code, true);
  if (decision.kind == Kind::watch || decision.kind == Kind::pretend) {
    int64_t result = result_of(call.thread);
    if (decision.kind == Kind::pretend) set_result(call.thread, -decision.code, false);
    if (tracer.after) tracer.after(call, result);
  }
  CHECK(::ptrace(PTRACE_CONT, call.thread, nullptr, 0) == 0);
  return true;
}

sys::Child start(const std::function<int()>& body) {
  sys::Child child = must(sys::spawn([&] {
    CHECK(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
    static_cast<void>(::raise(SIGSTOP));
    stop_at_calls();
    return body();
  }));
  int status = 0;
  CHECK(::waitpid(child.pid, &status, 0) == child.pid && WIFSTOPPED(status));
  constexpr long options =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  CHECK(::ptrace(PTRACE_SETOPTIONS, child.pid, nullptr, options) == 0);
  CHECK(::ptrace(PTRACE_CONT, child.pid, nullptr, 0) == 0);
  return child;
}

}  // namespace

std::string TracedCall::path_of(int fd) const {
  if (fd == AT_FDCWD) return link_target("/proc/" + std::to_string(thread) + "/cwd");
  return link_target("/proc/" + std::to_string(thread) + "/fd/" + std::to_string(fd));
}

std::string TracedCall::memory(uint64_t address, size_t bytes) const {
  std::string data(bytes, '\0');
  iovec to{data.data(), bytes};
  iovec from{reinterpret_cast<void*>(address), bytes};
  ssize_t got = ::process_vm_readv(thread, &to, 1, &from, 1, 0);
  data.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return data;
}

std::string TracedCall::text(uint64_t address) const {
  std::string text;
  constexpr uint64_t page_bytes = 4096;  // what follows the page may not be there
  for (size_t end = std::string::npos; end == std::string::npos; end = text.find('\0')) {
    std::string piece = memory(address, page_bytes - address % page_bytes);
    if (piece.empty()) return text;
    text += piece;
    address += piece.size();
  }
  return text.substr(0, text.find('\0'));
}

std::string TracedCall::path_at(int dir, uint64_t path) const {
  std::string name = text(path);
  if (name.starts_with("/proc/self/fd/")) return path_of(std::stoi(name.substr(14)));
  if (name.starts_with("/")) return name;
  if (name.empty() || name == ".") return path_of(dir);
  return path_of(dir) + "/" + name;
}

std::vector<std::string> TracedCall::paths() const {
  const Traceable& row = row_of(number);
  std::vector<std::string> paths;
  if (row.descriptor >= 0) {
    int fd = descriptor(static_cast<size_t>(row.descriptor));
    if (fd >= 0) paths.push_back(path_of(fd));
  }
  for (int at : {row.path, row.new_path}) {
    if (at < 0) continue;
    auto argument = static_cast<size_t>(at);
    paths.push_back(path_at(descriptor(argument), arguments[argument + 1]));
  }
  return paths;
}

std::string TracedCall::description() const {
  std::string text = row_of(number).name;
  for (const std::string& path : paths()) text += " " + path;
  return text;
}

bool changes_something(const TracedCall& call) {
  if (call.number == SYS_openat) return (call.arguments[2] & O_CREAT) != 0;
  return row_of(call.number).changes;
}

Traced run_traced(const std::function<int()>& body, const Tracer& tracer) {
  sys::Child child = start(body);
  for (;;) {
    int status = 0;
    pid_t stopped = ::waitpid(-1, &status, __WALL);
    CHECK(stopped > 0);
    if (!WIFSTOPPED(status)) {
      if (stopped == child.pid) return {.killed = false, .status = status};
      continue;  // a thread
    }
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
      TracedCall call = call_of(stopped);
      if (carry_out(tracer.before(call), call, tracer)) continue;
      break;
    }
    // A clone, and the stop that a new thread begins with, are nothing to it.
    bool ours = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP;
    ::ptrace(PTRACE_CONT, stopped, nullptr, ours ? 0 : WSTOPSIG(status));
  }
  must(sys::pidfd_send_signal(child.pidfd, SIGKILL));
  int status = 0;
  while (::waitpid(-1, &status, __WALL) > 0) {
  }
  return {.killed = true, .status = 0};
}

}  // namespace lyr::store
