// SPDX-License-Identifier: Apache-2.0
#include "sandbox/channel.h"

#include <cstring>

#include "base/sys_socket.h"

namespace lyr::sandbox {
namespace {

struct Header {
  int code;
  Step step;
};

constexpr size_t message_bytes_max = sizeof(Header) + note_text_bytes_max;

}  // namespace

Result<> tell(const Fd& channel, Step step, int code, std::string_view text, const Fd* fd) {
  std::byte message[message_bytes_max]{};
  Header header{code, step};
  text = text.substr(0, note_text_bytes_max);
  std::memcpy(message, &header, sizeof header);
  // Most notes have no text, and a null pointer may not be copied from even then.
  if (!text.empty()) std::memcpy(message + sizeof header, text.data(), text.size());
  int number = fd != nullptr ? fd->get() : -1;
  std::span<const int> fds(&number, fd != nullptr ? 1 : 0);
  return sys::send_message(channel, std::span(message).first(sizeof header + text.size()), fds);
}

Result<std::optional<Note>> hear(const Fd& channel) {
  auto message = sys::receive_message(channel, message_bytes_max);
  // A peer that died with a message of ours unread resets the connection: closed, too.
  if (!message && message.error().code == ECONNRESET) return std::optional<Note>();
  if (!message) return std::unexpected(std::move(message).error());
  if (message->data.empty()) return std::optional<Note>();
  if (message->data.size() < sizeof(Header)) return fail(EPROTO, "hear");
  Header header{};
  std::memcpy(&header, message->data.data(), sizeof header);
  Note note;
  note.step = header.step;
  note.code = header.code;
  note.text.assign(reinterpret_cast<const char*>(message->data.data()) + sizeof header,
                   message->data.size() - sizeof header);
  if (!message->fds.empty()) note.fd = std::move(message->fds.front());
  return std::optional<Note>(std::move(note));
}

Failure failure_of(const Note& note) {
  if (note.step == Step::exec_failed) return fail(note.code, "exec", note.text);
  if (note.step == Step::overlay_failed) return fail(note.code, "overlay", note.text);
  return fail_saying(note.code, note.text);
}

Result<> tell_failure(const Fd& channel, const Error& error) {
  if (std::string_view(error.call) == "overlay" && error.subject)
    return tell(channel, Step::overlay_failed, error.code, *error.subject);
  return tell(channel, Step::failed, error.code, describe(error));
}

}  // namespace lyr::sandbox
