// SPDX-License-Identifier: Apache-2.0
#include "engine/attach_protocol.h"

#include <cstring>

#include "base/check.h"

namespace lyr::engine {
namespace {

bool known(uint8_t type) { return (type >= 1 && type <= 5) || (type >= 16 && type <= 18); }

}  // namespace

void append_frame(std::string& to, FrameType type, std::string_view payload) {
  CHECK(payload.size() <= frame_payload_max);
  to += static_cast<char>(type);
  to += encode_u32(static_cast<uint32_t>(payload.size()));
  to += payload;
}

Result<std::optional<ParsedFrame>> parse_frame(std::string_view buffer) {
  if (buffer.empty()) return std::nullopt;
  auto type = static_cast<uint8_t>(buffer.front());
  if (!known(type)) return fail(EPROTO, "attach");
  if (buffer.size() < frame_header_bytes) return std::nullopt;
  uint32_t length = decode_u32(buffer, 1);
  if (length > frame_payload_max) return fail(EPROTO, "attach");
  if (buffer.size() - frame_header_bytes < length) return std::nullopt;
  Frame frame{static_cast<FrameType>(type), buffer.substr(frame_header_bytes, length)};
  return ParsedFrame{frame, frame_header_bytes + length};
}

std::string encode_resize(uint16_t rows, uint16_t columns) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &rows, 2);
  std::memcpy(bytes.data() + 2, &columns, 2);
  return bytes;
}

std::string encode_u32(uint32_t value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

uint32_t decode_u32(std::string_view payload, size_t at) {
  uint32_t value = 0;
  if (payload.size() >= at + 4) std::memcpy(&value, payload.data() + at, 4);
  return value;
}

uint16_t decode_u16(std::string_view payload, size_t at) {
  uint16_t value = 0;
  if (payload.size() >= at + 2) std::memcpy(&value, payload.data() + at, 2);
  return value;
}

}  // namespace lyr::engine
