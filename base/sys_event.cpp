// SPDX-License-Identifier: Apache-2.0
#include "base/sys_event.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "base/sys_call.h"

namespace lyr::sys {
namespace {

int64_t clock_ns(clockid_t clock) {
  struct timespec time{};
  ::clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

}  // namespace

Result<int> poll(std::span<struct pollfd> fds, int timeout_ms) {
  int count = ::poll(fds.data(), fds.size(), timeout_ms);
  if (count == -1 && errno == EINTR) return 0;
  if (count == -1) return fail_errno("poll");
  return count;
}

Result<Fd> signal_fd(std::span<const int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : signals) sigaddset(&set, signal);
  TRY(check(::sigprocmask(SIG_BLOCK, &set, nullptr), "sigprocmask"));
  int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd == -1) return fail_errno("signalfd");
  return Fd(fd);
}

Result<std::optional<int>> next_signal(const Fd& signals) {
  struct signalfd_siginfo info{};
  ssize_t size = ::read(signals.get(), &info, sizeof info);
  if (size == sizeof info) return static_cast<int>(info.ssi_signo);
  if (size == -1 && errno != EAGAIN && errno != EINTR) return fail_errno("signalfd");
  return std::nullopt;
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void ignore_signal(int signal) { ::signal(signal, SIG_IGN); }

Result<Pipe> pipe() {
  int ends[2];
  TRY(check(::pipe2(ends, O_CLOEXEC), "pipe2"));
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<> set_pipe_bytes(const Fd& pipe, int bytes) {
  return check(::fcntl(pipe.get(), F_SETPIPE_SZ, bytes), "fcntl(F_SETPIPE_SZ)");
}

Result<> set_nonblocking(const Fd& fd, bool on) {
  int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags == -1) return fail_errno("fcntl(F_GETFL)");
  flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return check(::fcntl(fd.get(), F_SETFL, flags), "fcntl(F_SETFL)");
}

bool is_terminal(const Fd& fd) { return ::isatty(fd.get()) == 1; }

Result<struct winsize> window_size(const Fd& terminal) {
  struct winsize size{};
  TRY(check(::ioctl(terminal.get(), TIOCGWINSZ, &size), "TIOCGWINSZ"));
  return size;
}

Result<> set_window_size(const Fd& terminal, const struct winsize& size) {
  return check(::ioctl(terminal.get(), TIOCSWINSZ, &size), "TIOCSWINSZ");
}

Result<struct termios> make_raw(const Fd& terminal) {
  struct termios before{};
  TRY(check(::tcgetattr(terminal.get(), &before), "tcgetattr"));
  struct termios raw = before;
  ::cfmakeraw(&raw);
  TRY(check(::tcsetattr(terminal.get(), TCSADRAIN, &raw), "tcsetattr"));
  return before;
}

Result<> restore_terminal(const Fd& terminal, const struct termios& settings) {
  return check(::tcsetattr(terminal.get(), TCSADRAIN, &settings), "tcsetattr");
}

int64_t now_unix_ns() { return clock_ns(CLOCK_REALTIME); }
int64_t now_monotonic_ms() { return clock_ns(CLOCK_MONOTONIC) / 1000000; }
int64_t now_monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
int64_t thread_cpu_ns() { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

Result<Fd> watch_writes(const Fd& file) {
  int watcher = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (watcher == -1) return fail_errno("inotify_init1");
  Fd owned(watcher);
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", file.get());
  TRY(check(::inotify_add_watch(watcher, path, IN_MODIFY), "inotify_add_watch"));
  return owned;
}

// Never destroyed, so never closed.
const Fd& standard_input() {
  static const Fd* const fd = new Fd(0);
  return *fd;
}
const Fd& standard_output() {
  static const Fd* const fd = new Fd(1);
  return *fd;
}
const Fd& standard_error() {
  static const Fd* const fd = new Fd(2);
  return *fd;
}

}  // namespace lyr::sys
