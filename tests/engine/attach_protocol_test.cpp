// SPDX-License-Identifier: Apache-2.0
// Frames over a container's socket, byte by byte as docs/formats.md has them.
#include "engine/attach_protocol.h"

#include <gtest/gtest.h>

namespace lyr::engine {
namespace {

using namespace std::string_literals;

std::string framed(FrameType type, std::string_view payload) {
  std::string bytes;
  append_frame(bytes, type, payload);
  return bytes;
}

TEST(AttachProtocol, TheWorkedExampleOfTheDocument) {
  char wishes = wish_input | wish_output;
  EXPECT_EQ(framed(FrameType::hello, {&wishes, 1}), "\x01\x01\x00\x00\x00\x03"s);
  EXPECT_EQ(framed(FrameType::resize, encode_resize(24, 80)),
            "\x04\x04\x00\x00\x00\x18\x00\x50\x00"s);
  EXPECT_EQ(framed(FrameType::input, "id\n"), "\x02\x03\x00\x00\x00id\n"s);
  EXPECT_EQ(framed(FrameType::output, "uid=0\n"), "\x10\x06\x00\x00\x00uid=0\n"s);
  EXPECT_EQ(framed(FrameType::signal, encode_u32(15)), "\x05\x04\x00\x00\x00\x0f\x00\x00\x00"s);
  EXPECT_EQ(framed(FrameType::exit, encode_u32(143)), "\x12\x04\x00\x00\x00\x8f\x00\x00\x00"s);
}

TEST(AttachProtocol, FramesComeOutHoweverTheyAreCut) {
  const std::string sent = framed(FrameType::input, "typed") + framed(FrameType::input_end, "") +
                           framed(FrameType::error, std::string(frame_payload_max, 'e'));
  std::string buffer;
  std::vector<std::pair<FrameType, std::string>> got;
  for (char c : sent) {
    buffer += c;
    auto parsed = parse_frame(buffer).value();
    if (!parsed) continue;
    EXPECT_EQ(parsed->bytes, buffer.size());
    got.emplace_back(parsed->frame.type, parsed->frame.payload);
    buffer.clear();
  }
  EXPECT_TRUE(buffer.empty());
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0], std::pair(FrameType::input, "typed"s));
  EXPECT_EQ(got[1], std::pair(FrameType::input_end, ""s));
  EXPECT_EQ(got[2], std::pair(FrameType::error, std::string(frame_payload_max, 'e')));
}

TEST(AttachProtocol, OnlyTheFirstFrameOfABufferIsTaken) {
  std::string two = framed(FrameType::output, "a") + framed(FrameType::output, "b");
  auto first = parse_frame(two).value();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->frame.payload, "a");
  auto second = parse_frame(std::string_view(two).substr(first->bytes)).value();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->frame.payload, "b");
}

TEST(AttachProtocol, WhatCannotBeginAFrameIsRefusedAtOnce) {
  for (int type : {0, 6, 15, 19, 255}) {
    auto parsed = parse_frame(std::string(1, static_cast<char>(type)));
    ASSERT_FALSE(parsed) << type;
    EXPECT_EQ(parsed.error().code, EPROTO);
  }
  // One byte more than a payload may have, and the most that 32 bits can say.
  EXPECT_FALSE(parse_frame("\x10\x01\x00\x01\x00"s));
  EXPECT_FALSE(parse_frame("\x10\xff\xff\xff\xff"s));
  EXPECT_TRUE(parse_frame("\x10\x00\x00\x01\x00"s)) << "64 KiB are allowed";
}

TEST(AttachProtocol, ShortNumbersAreZero) {
  EXPECT_EQ(decode_u32("\x01\x02\x03"s), 0U);
  EXPECT_EQ(decode_u32("\x01\x02\x03\x04"s), 0x04030201U);
  EXPECT_EQ(decode_u32("\x01\x02\x03\x04"s, 1), 0U);
  EXPECT_EQ(decode_u16("\x01\x02\x03"s, 1), 0x0302U);
  EXPECT_EQ(decode_u16("\x01\x02\x03"s, 2), 0U);
  EXPECT_EQ(decode_u16("", 2), 0U);
}

}  // namespace
}  // namespace lyr::engine
