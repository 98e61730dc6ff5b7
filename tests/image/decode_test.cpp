// SPDX-License-Identifier: Apache-2.0
#include "image/decode.h"

#include <crc.h>
#include <gtest/gtest.h>
#include <igzip_lib.h>

#include "tests/image/compressed.h"
#include "tests/image/tar_maker.h"

namespace lyr::image {
namespace {

std::string gzip(std::string_view data) {
  std::string out(data.size() + 1000, '\0');
  auto stream = std::make_unique<isal_zstream>();
  isal_deflate_init(stream.get());
  stream->end_of_stream = 1;
  stream->gzip_flag = IGZIP_GZIP;
  stream->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(data.data()));
  stream->avail_in = static_cast<uint32_t>(data.size());
  stream->next_out = reinterpret_cast<uint8_t*>(out.data());
  stream->avail_out = static_cast<uint32_t>(out.size());
  EXPECT_EQ(isal_deflate(stream.get()), COMP_OK);
  out.resize(stream->total_out);
  return out;
}

const std::string skippable = std::string("\x5a\x2a\x4d\x18\x05\0\0\0", 8) + "extra";

// Gives its bytes in small pieces, as a pipe may.
class DripReader final : public ByteReader {
 public:
  DripReader(std::string data, size_t piece_bytes)
      : data_(std::move(data)), piece_bytes_(piece_bytes) {}
  Result<size_t> read(std::span<std::byte> out) override {
    size_t count = std::min({out.size(), piece_bytes_, data_.size() - at_});
    std::memcpy(out.data(), data_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string data_;
  size_t piece_bytes_;
  size_t at_ = 0;
};

Result<std::string> decode(const std::string& data, size_t piece_bytes = SIZE_MAX,
                           const DecodeLimits& limits = {}) {
  auto decoded = TRY(open_decoded(std::make_unique<DripReader>(data, piece_bytes), limits));
  return read_all(*decoded.reader, 64 << 20);
}

std::string text_of(size_t bytes) {
  std::string text;
  uint64_t state = 1;
  while (text.size() < bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    text += "line " + std::to_string(state >> 44) + "\n";
  }
  return text;
}

TEST(DecodeTest, whatIsNotCompressedComesAsItIs) {
  for (const std::string& data :
       {std::string(), std::string("a"), std::string("\x1f"), text_of(9999)}) {
    auto decoded = decode(data);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, data);
  }
}

TEST(DecodeTest, allMembersAndFramesAreReadHoweverTheInputIsCut) {
  const std::string one = text_of(70'000);
  const std::string two = "a short one";
  const std::pair<std::string, std::string> table[] = {
      {gzip(one), one},
      {gzip(""), ""},
      {gzip(one) + gzip("") + gzip(two) + gzip(one), one + two + one},
      {gzip(one) + std::string(3000, '\0'), one},  // padding of tape tools
      {zstd(one), one},
      {zstd(""), ""},
      {zstd(one) + zstd(two) + zstd(one), one + two + one},
      {skippable + zstd(one) + skippable + zstd(two) + skippable, one + two},
  };
  for (size_t piece_bytes : {size_t{1}, size_t{3}, size_t{100}, size_t{4096}, SIZE_MAX}) {
    for (const auto& [data, expected] : table) {
      auto decoded = decode(data, piece_bytes);
      ASSERT_TRUE(decoded.has_value()) << describe(decoded.error());
      EXPECT_EQ(*decoded, expected);
    }
  }
}

// `data` with a header that has all there can be: `flags`, and the checksum over the header.
std::string with_long_header(std::string_view data, uint8_t flags, bool right) {
  std::string header("\x1f\x8b\x08\0\0\0\0\0\x02\xff\x06\0ab\x02\0xyname\0comment\0", 31);
  header[3] = static_cast<char>(flags);
  uint32_t sum = crc32_gzip_refl(0, reinterpret_cast<unsigned char*>(header.data()), header.size());
  header += static_cast<char>(sum & 0xff);
  header += static_cast<char>((sum >> 8 & 0xff) ^ (right ? 0 : 1));
  return header + gzip(data).substr(10);
}

TEST(DecodeTest, aGzipHeaderIsReadWholeAndCheckedHoweverItIsCut) {
  constexpr uint8_t all_flags = 2 | 4 | 8 | 16;
  const std::string good = with_long_header("content", all_flags, true);
  const std::string wrong_sum = with_long_header("content", all_flags, false);
  const std::string reserved = with_long_header("content", all_flags | 0x20, true);
  for (size_t piece_bytes = 1; piece_bytes < 50; ++piece_bytes) {
    auto decoded = decode(gzip("first ") + good, piece_bytes);
    ASSERT_TRUE(decoded.has_value()) << describe(decoded.error());
    EXPECT_EQ(*decoded, "first content");
    EXPECT_FALSE(decode(wrong_sum, piece_bytes).has_value());
    EXPECT_FALSE(decode(reserved, piece_bytes).has_value());
  }
  for (size_t length = 6; length < good.size(); ++length) {
    EXPECT_FALSE(decode(good.substr(0, length)).has_value()) << length;
  }
}

TEST(DecodeTest, everyTruncationIsAnError) {
  for (const std::string& whole : {gzip(text_of(3000)), zstd(text_of(3000))}) {
    for (size_t length = 6; length < whole.size(); ++length) {
      EXPECT_FALSE(decode(whole.substr(0, length)).has_value()) << length;
    }
  }
}

TEST(DecodeTest, damageAndForeignDataAreErrors) {
  const std::string good = gzip(text_of(3000));
  std::string wrong_sum = good;
  wrong_sum[good.size() - 6] ^= 1;
  std::string wrong_length = good;
  wrong_length[good.size() - 1] ^= 1;
  std::string wrong_body = good;
  wrong_body[good.size() / 2] ^= 0x10;
  const std::string table[] = {wrong_sum,
                               wrong_length,
                               wrong_body,
                               good + "garbage",
                               good + std::string(10, '\0') + "x",
                               good + '\x1f' + "garbage after half a magic",
                               zstd(text_of(3000)) + "garbage",
                               std::string("\x28\xb5\x2f\xfd\xff\xff\xff", 7)};
  for (const std::string& data : table) {
    auto decoded = decode(data);
    ASSERT_FALSE(decoded.has_value());
    EXPECT_EQ(decoded.error().code, EBADMSG);
  }
  auto xz =
      decode(std::string("\xfd"
                         "7zXZ\0 and more",
                         15));
  ASSERT_FALSE(xz.has_value());
  EXPECT_EQ(xz.error().code, EPROTONOSUPPORT);
  EXPECT_FALSE(decode("BZh91AY&SY").has_value());
}

TEST(DecodeTest, aBombStopsAtItsLimits) {
  const std::string zeros(8 << 20, '\0');
  const DecodeLimits ratio{.bytes_max = 64 << 20, .bytes_unquestioned = 1 << 20, .ratio_max = 100};
  const DecodeLimits absolute{.bytes_max = 1 << 20};
  for (const std::string& bomb : {gzip(zeros), zstd(zeros)}) {
    for (const DecodeLimits& limits : {ratio, absolute}) {
      auto decoded = decode(bomb, SIZE_MAX, limits);
      ASSERT_FALSE(decoded.has_value());
      EXPECT_EQ(decoded.error().code, EFBIG);
    }
    EXPECT_TRUE(decode(bomb).has_value());
  }
}

TEST(DecodeTest, aFrameMayNotAskForAnyMemoryItLikes) {
  // Magic, a window descriptor of 2 GiB, and an empty last block.
  auto decoded = decode(std::string("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9));
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, EBADMSG);
}

}  // namespace
}  // namespace lyr::image
