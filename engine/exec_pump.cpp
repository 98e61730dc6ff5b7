// SPDX-License-Identifier: Apache-2.0
#include "engine/exec_pump.h"

#include <array>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/attach_client.h"

namespace lyr::engine {
namespace {

constexpr size_t pump_bytes = 32 << 10;
constexpr size_t pending_bytes_max = 256 << 10;

void fit_terminal(const Fd& terminal) {
  auto size = sys::window_size(sys::standard_input());
  if (size) static_cast<void>(sys::set_window_size(terminal, *size));
}

// False when the stream has ended.
bool pass_on(const Fd& from, const Fd& to) {
  std::array<std::byte, pump_bytes> buffer;
  auto got = sys::read(from, buffer);
  if (!got && got.error().code == EAGAIN) return true;
  if (!got || *got == 0) return false;
  static_cast<void>(sys::write_all(to, std::span<const std::byte>(buffer).first(*got)));
  return true;
}

}  // namespace

Result<ExecPump> ExecPump::prepare(const AttachOptions& options) {
  auto keys = TRY(parse_detach_keys(options.detach_keys));
  const std::array<int, 7> signals{SIGWINCH, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
  Fd descriptor = TRY(sys::signal_fd(signals));
  sys::ignore_signal(SIGPIPE);
  return ExecPump(options, std::move(keys), std::move(descriptor));
}

Result<> ExecPump::take_signals(const ContainerStreams& streams, const Fd& process) {
  for (;;) {
    auto signal = TRY(sys::next_signal(signals_));
    if (!signal) return {};
    if (*signal == SIGWINCH) {
      if (streams.terminal) fit_terminal(streams.terminal);
    } else {
      static_cast<void>(sys::pidfd_send_signal(process, *signal));
    }
  }
}

Result<> ExecPump::take_input(ContainerStreams& streams, bool& detached) {
  std::array<std::byte, pump_bytes> buffer;
  auto got = sys::read(sys::standard_input(), buffer);
  if (!got || *got == 0) {
    input_open_ = false;
    return {};
  }
  pending_ += scanner_.scan({reinterpret_cast<const char*>(buffer.data()), *got}, detached);
  feed(streams);
  return {};
}

void ExecPump::feed(ContainerStreams& streams) {
  Fd& to = streams.terminal ? streams.terminal : streams.input;
  while (to && !pending_.empty()) {
    auto written = sys::write(to, std::as_bytes(std::span(pending_)));
    if (!written && written.error().code == EAGAIN) return;
    if (!written) {
      pending_.clear();
      streams.input.reset();
      return;
    }
    pending_.erase(0, *written);
  }
  if (!input_open_ && pending_.empty()) streams.input.reset();
}

Result<Outcome> ExecPump::run(ContainerStreams streams, const Fd& process) {
  RawTerminal raw(options_.terminal && options_.input);
  if (streams.terminal) fit_terminal(streams.terminal);
  for (Fd* stream : {&streams.input, &streams.output, &streams.error, &streams.terminal}) {
    if (*stream) TRY(sys::set_nonblocking(*stream, true));
  }
  input_open_ = options_.input;
  Outcome outcome;
  bool ended = false;
  // A process it left behind may hold the streams open: its own end is the end, once what is there
  // was read.
  while (!ended) {
    std::vector<struct pollfd> fds{{process.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    auto add = [&](const Fd& fd, short events) { fds.push_back({fd ? fd.get() : -1, events, 0}); };
    add(streams.output, POLLIN);
    add(streams.error, POLLIN);
    add(streams.terminal, static_cast<short>(POLLIN | (pending_.empty() ? 0 : POLLOUT)));
    add(streams.input, pending_.empty() ? 0 : POLLOUT);
    add(sys::standard_input(), POLLIN);
    if (!input_open_ || pending_.size() > pending_bytes_max) fds.back().fd = -1;
    TRY(sys::poll(fds, -1));
    if (fds[1].revents != 0) TRY(take_signals(streams, process));
    if (fds[6].revents != 0) {
      TRY(take_input(streams, outcome.detached));
      if (outcome.detached) return outcome;
    }
    feed(streams);
    if (fds[2].revents != 0 && !pass_on(streams.output, sys::standard_output()))
      streams.output.reset();
    if (fds[3].revents != 0 && !pass_on(streams.error, sys::standard_error()))
      streams.error.reset();
    if ((fds[4].revents & (POLLIN | POLLHUP)) != 0 &&
        !pass_on(streams.terminal, sys::standard_output())) {
      streams.terminal.reset();
    }
    bool quiet = fds[2].revents == 0 && fds[3].revents == 0 && (fds[4].revents & POLLIN) == 0;
    ended = fds[0].revents != 0 && quiet;
  }
  auto ending = TRY(sys::wait_pidfd(process));
  if (ending) outcome.exit_code = ending->shell_code();
  return outcome;
}

}  // namespace lyr::engine
