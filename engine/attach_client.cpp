// SPDX-License-Identifier: Apache-2.0
#include "engine/attach_client.h"

#include <array>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/attach_protocol.h"

namespace lyr::engine {

struct RawTerminal::Saved {
  struct termios settings;
};

RawTerminal::RawTerminal(bool wanted) {
  if (!wanted || !sys::is_terminal(sys::standard_input())) return;
  auto before = sys::make_raw(sys::standard_input());
  if (before) saved_ = std::make_unique<Saved>(Saved{*before});
}

RawTerminal::~RawTerminal() {
  if (saved_) static_cast<void>(sys::restore_terminal(sys::standard_input(), saved_->settings));
}

Result<std::string> parse_detach_keys(const std::string& text) {
  std::string keys;
  for (size_t from = 0; from < text.size();) {
    size_t comma = std::min(text.find(',', from), text.size());
    std::string key = text.substr(from, comma - from);
    from = comma + 1;
    if (key.size() == 1) {
      keys += key;
    } else if (key.size() == 6 && key.starts_with("ctrl-") && key[5] >= '@' && key[5] <= 'z' &&
               key[5] != '`') {
      keys += static_cast<char>(key[5] & 31);
    } else {
      return fail_saying(
          EINVAL, "invalid detach key '" + key + "': a character or ctrl-X, joined by commas");
    }
  }
  return keys;
}

std::string DetachScanner::scan(std::string_view typed, bool& detached) {
  std::string passed;
  for (char c : typed) {
    if (keys_.empty()) {
      passed += c;
      continue;
    }
    // The sequence may begin anew within what matched so far: "aab" is in "aaab".
    while (matched_ > 0 && c != keys_[matched_]) {
      size_t shorter = begun_within(matched_);
      passed.append(keys_, 0, matched_ - shorter);
      matched_ = shorter;
    }
    if (c != keys_[matched_]) {
      passed += c;
    } else if (++matched_ == keys_.size()) {
      detached = true;
      return passed;
    }
  }
  return passed;
}

size_t DetachScanner::begun_within(size_t matched) const {
  std::string_view before = std::string_view(keys_).substr(0, matched);
  for (size_t from = 1; from < matched; ++from) {
    if (before.starts_with(before.substr(from))) return matched - from;
  }
  return 0;
}

namespace {

constexpr size_t read_bytes = 32 << 10;

class Session {
 public:
  Session(const AttachOptions& options, const std::string& detach_keys, const Fd& signals,
          Fd socket)
      : options_(options),
        scanner_(options.terminal ? detach_keys : ""),
        signals_(signals),
        socket_(std::move(socket)),
        input_open_(options.input) {}

  Result<Outcome> run() {
    if (options_.terminal) resize();
    while (!ended_) TRY(step());
    return outcome_;
  }

 private:
  Result<> step() {
    std::vector<struct pollfd> fds;
    fds.push_back({socket_.get(), static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0});
    fds.push_back({signals_.get(), POLLIN, 0});
    // Typed text waits while the container does not take it.
    if (input_open_ && out_.size() < frame_payload_max) fds.push_back({0, POLLIN, 0});
    TRY(sys::poll(fds, -1));
    if (fds[1].revents != 0) TRY(take_signals());
    if (fds.size() > 2 && fds[2].revents != 0) TRY(take_input());
    if (!out_.empty()) TRY(send());
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) TRY(take_frames());
    return {};
  }

  Result<> take_signals() {
    for (;;) {
      auto signal = TRY(sys::next_signal(signals_));
      if (!signal) return {};
      if (*signal == SIGWINCH) {
        resize();
      } else {
        append_frame(out_, FrameType::signal, encode_u32(static_cast<uint32_t>(*signal)));
      }
    }
  }

  void resize() {
    auto size = sys::window_size(sys::standard_input());
    if (size) append_frame(out_, FrameType::resize, encode_resize(size->ws_row, size->ws_col));
  }

  Result<> take_input() {
    std::array<std::byte, read_bytes> buffer;
    auto got = sys::read(sys::standard_input(), buffer);
    if (!got || *got == 0) {
      input_open_ = false;
      append_frame(out_, FrameType::input_end, "");
      return {};
    }
    bool detached = false;
    std::string passed =
        scanner_.scan({reinterpret_cast<const char*>(buffer.data()), *got}, detached);
    if (!passed.empty()) append_frame(out_, FrameType::input, passed);
    if (detached) {
      TRY(send());
      outcome_.detached = true;
      ended_ = true;
    }
    return {};
  }

  Result<> send() {
    auto sent = sys::write(socket_, std::as_bytes(std::span(out_)));
    // The supervisor has ended: its last word is still to be read.
    if (!sent && sent.error().code == EPIPE) {
      input_open_ = false;
      out_.clear();
      return {};
    }
    if (!sent) return std::unexpected(std::move(sent).error());
    out_.erase(0, *sent);
    return {};
  }

  Result<> take_frames() {
    std::array<std::byte, read_bytes> buffer;
    auto got = sys::read(socket_, buffer);
    if (!got || *got == 0) {
      return fail_saying(ECONNRESET,
                         "the container's supervisor was killed, and the container with it");
    }
    in_.append(reinterpret_cast<const char*>(buffer.data()), *got);
    size_t taken = 0;
    while (!ended_) {
      auto parsed = TRY(parse_frame(std::string_view(in_).substr(taken)));
      if (!parsed) break;
      obey(parsed->frame);
      taken += parsed->bytes;
    }
    in_.erase(0, taken);
    return {};
  }

  void obey(const Frame& frame) {
    auto bytes = std::as_bytes(std::span(frame.payload));
    // Nobody reads our output any more: the container goes on, as with docker.
    if (frame.type == FrameType::output) {
      static_cast<void>(sys::write_all(sys::standard_output(), bytes));
    } else if (frame.type == FrameType::error) {
      static_cast<void>(sys::write_all(sys::standard_error(), bytes));
    } else if (frame.type == FrameType::exit) {
      outcome_.exit_code = static_cast<int>(decode_u32(frame.payload));
      outcome_.message = frame.payload.size() > 4 ? frame.payload.substr(4) : "";
      ended_ = true;
    }
  }

  const AttachOptions& options_;
  DetachScanner scanner_;
  const Fd& signals_;
  Fd socket_;
  bool input_open_;
  bool ended_ = false;
  std::string out_;
  std::string in_;
  Outcome outcome_;
};

}  // namespace

Result<AttachClient> AttachClient::prepare(const AttachOptions& options) {
  auto keys = TRY(parse_detach_keys(options.detach_keys));
  std::vector<int> signals{SIGWINCH};
  if (options.forward_signals) {
    for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM}) {
      signals.push_back(signal);
    }
  }
  Fd descriptor = TRY(sys::signal_fd(signals));
  sys::ignore_signal(SIGPIPE);
  return AttachClient(options, std::move(keys), std::move(descriptor));
}

Result<> AttachClient::greet(const Fd& socket) const {
  char wishes =
      static_cast<char>((options_.input ? wish_input : 0) | (options_.output ? wish_output : 0));
  std::string hello;
  append_frame(hello, FrameType::hello, std::string_view(&wishes, 1));
  return sys::write_all(socket, hello);
}

Result<Outcome> AttachClient::run(Fd socket) {
  RawTerminal raw(options_.terminal && options_.input);
  return Session(options_, detach_keys_, signals_, std::move(socket)).run();
}

}  // namespace lyr::engine
