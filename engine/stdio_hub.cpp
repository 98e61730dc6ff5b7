// SPDX-License-Identifier: Apache-2.0
#include "engine/stdio_hub.h"

#include <algorithm>
#include <array>

#include "base/sys_event.h"
#include "base/sys_file.h"

namespace lyr::engine {
namespace {

constexpr size_t hub_bytes = 32 << 10;

short events_of(const std::vector<struct pollfd>& fds, const Fd& fd) {
  for (const struct pollfd& polled : fds) {
    if (polled.fd == fd.get()) return polled.revents;
  }
  return 0;
}

}  // namespace

StdioHub::StdioHub(ContainerStreams streams, LogWriter log, bool close_input_with_client)
    : streams_(std::move(streams)),
      log_(std::move(log)),
      close_input_with_client_(close_input_with_client) {
  for (Fd* stream : {&streams_.input, &streams_.output, &streams_.error, &streams_.terminal}) {
    if (*stream) static_cast<void>(sys::set_nonblocking(*stream, true));
  }
}

void StdioHub::add_client(Fd socket) {
  if (clients_.size() >= clients_max) return;  // it finds its connection closed
  static_cast<void>(sys::set_nonblocking(socket, true));
  Client& client = clients_.emplace_back();
  client.socket = std::move(socket);
  take_frames(client);  // what it said before it came: the first client's wishes
}

bool StdioHub::output_may_flow() const {
  return std::ranges::all_of(
      clients_, [](const Client& client) { return client.out.size() < client_queue_bytes_max; });
}

bool StdioHub::input_may_flow() const { return input_.size() < input_queue_bytes_max; }

void StdioHub::watch(std::vector<struct pollfd>& fds) const {
  if (output_may_flow()) {
    for (const Fd* stream : {&streams_.output, &streams_.error}) {
      if (*stream) fds.push_back({stream->get(), POLLIN, 0});
    }
  }
  if (streams_.terminal) {
    short events = output_may_flow() ? POLLIN : 0;
    if (!input_.empty()) events |= POLLOUT;
    fds.push_back({streams_.terminal.get(), events, 0});
  }
  if (streams_.input && !input_.empty()) fds.push_back({streams_.input.get(), POLLOUT, 0});
  for (const Client& client : clients_) {
    short events = input_may_flow() ? POLLIN : 0;
    if (!client.out.empty()) events |= POLLOUT;
    fds.push_back({client.socket.get(), events, 0});
  }
}

void StdioHub::act(const std::vector<struct pollfd>& fds) {
  for (Client& client : clients_) {
    short events = events_of(fds, client.socket);
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) take_frames(client);
  }
  feed_input();
  if (streams_.output && events_of(fds, streams_.output) != 0) take_output(streams_.output, false);
  if (streams_.error && events_of(fds, streams_.error) != 0) take_output(streams_.error, true);
  if (streams_.terminal && (events_of(fds, streams_.terminal) & (POLLIN | POLLHUP)) != 0) {
    take_output(streams_.terminal, false);
  }
  for (Client& client : clients_) send(client);
  drop_gone();
}

bool StdioHub::take_output(Fd& stream, bool standard_error) {
  std::array<std::byte, hub_bytes> buffer;
  auto got = sys::read(stream, buffer);
  if (!got && got.error().code == EAGAIN) return true;
  if (!got || *got == 0) {  // a terminal nobody has open says EIO
    stream.reset();
    return false;
  }
  auto data = std::span<const std::byte>(buffer).first(*got);
  // A log that cannot be written (a full disk) must not stop the container.
  static_cast<void>(log_.write(standard_error, data));
  std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  for (Client& client : clients_) {
    if ((client.wishes & wish_output) == 0) continue;
    append_frame(client.out, standard_error ? FrameType::error : FrameType::output, text);
  }
  return true;
}

void StdioHub::take_frames(Client& client) {
  std::array<std::byte, hub_bytes> buffer;
  auto got = sys::read(client.socket, buffer);
  if (!got && got.error().code == EAGAIN) return;
  if (!got || *got == 0) {
    client.gone = true;
    return;
  }
  client.in.append(reinterpret_cast<const char*>(buffer.data()), *got);
  size_t taken = 0;
  for (;;) {
    auto parsed = parse_frame(std::string_view(client.in).substr(taken));
    if (!parsed) {
      client.gone = true;
      return;
    }
    if (!*parsed) break;
    obey(client, (*parsed)->frame);
    taken += (*parsed)->bytes;
  }
  client.in.erase(0, taken);
}

void StdioHub::obey(Client& client, const Frame& frame) {
  switch (frame.type) {
    case FrameType::hello:
      client.wishes = frame.payload.empty() ? 0 : static_cast<uint8_t>(frame.payload[0]);
      return;
    case FrameType::input:
      if ((client.wishes & wish_input) != 0) input_ += frame.payload;
      return;
    case FrameType::input_end:
      if ((client.wishes & wish_input) != 0) input_ended_ = true;
      return;
    case FrameType::resize:
      if (streams_.terminal) {
        struct winsize size{};
        size.ws_row = decode_u16(frame.payload, 0);
        size.ws_col = decode_u16(frame.payload, 2);
        static_cast<void>(sys::set_window_size(streams_.terminal, size));
      }
      return;
    case FrameType::signal:
      if (on_signal_) on_signal_(static_cast<int>(decode_u32(frame.payload)));
      return;
    default:
      client.gone = true;  // only we say the others
  }
}

void StdioHub::send(Client& client) {
  while (!client.gone && !client.out.empty()) {
    auto sent = sys::write(client.socket, std::as_bytes(std::span(client.out)));
    if (!sent && sent.error().code == EAGAIN) return;
    if (!sent) {
      client.gone = true;
      return;
    }
    client.out.erase(0, *sent);
  }
}

void StdioHub::feed_input() {
  Fd& to = streams_.terminal ? streams_.terminal : streams_.input;
  while (to && !input_.empty()) {
    auto written = sys::write(to, std::as_bytes(std::span(input_)));
    if (!written && written.error().code == EAGAIN) return;
    if (!written) {
      input_.clear();
      streams_.input.reset();
      return;
    }
    input_.erase(0, *written);
  }
  if (!to) input_.clear();
  if (input_ended_ && input_.empty()) streams_.input.reset();
}

void StdioHub::drop_gone() {
  for (auto client = clients_.begin(); client != clients_.end();) {
    if (!client->gone) {
      ++client;
      continue;
    }
    if (close_input_with_client_ && (client->wishes & wish_input) != 0) input_ended_ = true;
    client = clients_.erase(client);
  }
  feed_input();
}

void StdioHub::drain() {
  for (auto [stream, standard_error] :
       {std::pair{&streams_.output, false}, {&streams_.error, true}, {&streams_.terminal, false}}) {
    if (!*stream) continue;
    // Every process that could write is gone, so this ends with the end of the stream.
    for (;;) {
      struct pollfd ready{stream->get(), POLLIN, 0};
      auto count = sys::poll({&ready, 1}, 0);
      if (!count || *count == 0 || !take_output(*stream, standard_error)) break;
    }
  }
  static_cast<void>(log_.finish());
}

void StdioHub::finish(int exit_code, const std::string& why, int timeout_ms) {
  std::string payload = encode_u32(static_cast<uint32_t>(exit_code));
  payload += why.substr(0, frame_payload_max - payload.size());
  for (Client& client : clients_) append_frame(client.out, FrameType::exit, payload);
  int64_t end = sys::now_monotonic_ms() + timeout_ms;
  for (;;) {
    std::vector<struct pollfd> fds;
    for (Client& client : clients_) {
      send(client);
      if (!client.gone && !client.out.empty()) fds.push_back({client.socket.get(), POLLOUT, 0});
    }
    int64_t left = end - sys::now_monotonic_ms();
    if (fds.empty() || left <= 0) return;
    if (!sys::poll(fds, static_cast<int>(left))) return;
  }
}

}  // namespace lyr::engine
