// SPDX-License-Identifier: Apache-2.0
// Waiting for descriptors, signals as a descriptor, pipes, terminals, time, and file change
// notices.
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// timeout_ms: -1 waits without end. The number of descriptors with events; 0: timed out. EINTR
// counts as 0.
Result<int> poll(std::span<struct pollfd> fds, int timeout_ms);

// Blocks `signals` in this thread and gives a non-blocking descriptor they are read from.
Result<Fd> signal_fd(std::span<const int> signals);
// The next pending signal of a signal_fd; absent: none.
Result<std::optional<int>> next_signal(const Fd& signals);
// Unblocks every signal and gives all of them their default action: what a fresh process expects.
void reset_signals();
void ignore_signal(int signal);

struct Pipe {
  Fd read;
  Fd write;
};
Result<Pipe> pipe();
// How much a pipe holds before its writer waits; the kernel rounds it up. EPERM: more than it lets
// a user have (fs.pipe-max-size, a megabyte unless somebody changed it).
Result<> set_pipe_bytes(const Fd& pipe, int bytes);
Result<> set_nonblocking(const Fd& fd, bool on);

bool is_terminal(const Fd& fd);
Result<struct winsize> window_size(const Fd& terminal);
Result<> set_window_size(const Fd& terminal, const struct winsize& size);
// Raw mode, as cfmakeraw(3); the settings before it, for restore_terminal.
Result<struct termios> make_raw(const Fd& terminal);
Result<> restore_terminal(const Fd& terminal, const struct termios& settings);

int64_t now_unix_ns();
int64_t now_monotonic_ms();
int64_t now_monotonic_ns();
int64_t thread_cpu_ns();  // that this thread has used so far

// Becomes readable when `path` below `dir` is written to.
Result<Fd> watch_writes(const Fd& file);

// Standard descriptors, as Fds that own nothing.
const Fd& standard_input();
const Fd& standard_output();
const Fd& standard_error();

}  // namespace lyr::sys
