// SPDX-License-Identifier: Apache-2.0
// What a supervisor and those attached to its container say to each other (docs/formats.md,
// "attach"): frames of a type, a length and so many bytes over a stream socket. A client begins
// with `hello`; the supervisor ends with `exit`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::engine {

enum class FrameType : uint8_t {
  hello = 1,      // client: one byte, AttachWish bits
  input = 2,      // client: bytes for standard input
  input_end = 3,  // client: standard input has ended
  resize = 4,     // client: u16 rows, u16 columns
  signal = 5,     // client: u32 signal number
  output = 16,    // supervisor: bytes of standard output
  error = 17,     // supervisor: bytes of standard error
  exit = 18,      // supervisor: i32 exit code, then why, for a person; nothing follows
};

constexpr uint8_t wish_input = 1;
constexpr uint8_t wish_output = 2;

constexpr size_t frame_payload_max = 64 << 10;
constexpr size_t frame_header_bytes = 5;  // u8 type, u32 length (little-endian)

struct Frame {
  FrameType type;
  std::string_view payload;  // borrows from the buffer
};

// Appends a frame; the payload has at most frame_payload_max bytes.
void append_frame(std::string& to, FrameType type, std::string_view payload);

// The first whole frame of `buffer`, and how many bytes it takes; absent: more is needed. EPROTO:
// no frame can begin so.
struct ParsedFrame {
  Frame frame;
  size_t bytes;
};
Result<std::optional<ParsedFrame>> parse_frame(std::string_view buffer);

std::string encode_resize(uint16_t rows, uint16_t columns);
std::string encode_u32(uint32_t value);
// 0 when the payload is too short.
uint32_t decode_u32(std::string_view payload, size_t at = 0);
uint16_t decode_u16(std::string_view payload, size_t at);

}  // namespace lyr::engine
