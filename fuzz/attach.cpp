// SPDX-License-Identifier: Apache-2.0
// What comes over a container's socket: any bytes give frames or an error, the same ones however
// they are cut. And what is typed, with a first byte that says how many of the next are the detach
// keys, is passed on alike in one piece and byte by byte.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "engine/attach_client.h"
#include "engine/attach_protocol.h"

namespace {

using namespace lyr::engine;

void read_frames(std::string_view bytes) {
  std::string again;
  while (true) {
    auto parsed = parse_frame(bytes);
    if (!parsed || !*parsed) break;
    const ParsedFrame& whole = **parsed;
    CHECK(whole.bytes <= bytes.size());
    auto cut = parse_frame(bytes.substr(0, whole.bytes - 1));
    CHECK(cut.has_value() && !cut->has_value());
    again.clear();
    append_frame(again, whole.frame.type, whole.frame.payload);
    CHECK(again == bytes.substr(0, whole.bytes));
    uint32_t number = decode_u32(whole.frame.payload);
    CHECK(whole.frame.payload.size() >= 4 || number == 0);
    CHECK(whole.frame.payload.size() < 4 || whole.frame.payload.starts_with(encode_u32(number)));
    decode_u16(whole.frame.payload, 2);
    bytes.remove_prefix(whole.bytes);
  }
}

void type(std::string_view bytes) {
  if (bytes.empty()) return;
  size_t count = std::min<size_t>(static_cast<uint8_t>(bytes[0]) & 7, bytes.size() - 1);
  std::string keys(bytes.substr(1, count));
  std::string_view typed = bytes.substr(1 + count);
  bool detached = false;
  std::string passed = DetachScanner(keys).scan(typed, detached);
  CHECK(passed.size() + (detached ? keys.size() : 0) <= typed.size());
  DetachScanner scanner(keys);
  bool left = false;
  std::string pieces;
  for (size_t i = 0; i < typed.size() && !left; ++i)
    pieces += scanner.scan(typed.substr(i, 1), left);
  CHECK(left == detached && pieces == passed);
  bool occurs = !keys.empty() && typed.find(keys) != std::string_view::npos;
  CHECK(occurs == detached);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_frames(bytes);
  type(bytes);
  auto keys = parse_detach_keys(std::string(bytes));
  if (keys) CHECK(keys->size() <= size);
  return 0;
}
