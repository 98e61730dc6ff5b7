// SPDX-License-Identifier: Apache-2.0
// Any gzip data gives bytes or an error, the same however the input is cut and the output is taken,
// never more than asked, and the bytes that zlib gives. Checksums are put right, too, so that what
// is mutated gets past them; and what zlib compresses comes out as it was.
#include <zlib.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/cut_reader.h"
#include "image/decode.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr size_t output_bytes_max = 256 << 10;
constexpr DecodeLimits limits{.bytes_max = output_bytes_max};
constexpr size_t out_bytes_max = 64 << 10;
constexpr int gzip_only = 15 + 16;  // window bits, for inflateInit2 and deflateInit2

Result<std::string> decode(std::span<const std::byte> data, size_t piece_bytes, size_t out_bytes) {
  auto reader = make_gzip_reader(std::make_unique<fuzz::CutReader>(data, piece_bytes), limits);
  std::string text;
  static std::vector<std::byte> room(out_bytes_max);
  auto out = std::span(room).first(out_bytes);
  while (true) {
    size_t count = TRY(reader->read(out));
    if (count == 0) return text;
    CHECK(count <= out.size());
    text.append(reinterpret_cast<const char*>(out.data()), count);
    CHECK(text.size() <= output_bytes_max);
  }
}

struct Members {
  std::string text;
  std::vector<size_t> ends;         // of each member, in the data
  std::vector<uint32_t> checksums;  // CRC-32 and length of each, as they should be
  std::vector<uint32_t> lengths;
};

// zlib's reading: members one after the other, then at most zeros. `checked`: with the checksums.
std::optional<Members> by_zlib(std::span<const std::byte> data, bool checked) {
  z_stream stream{};
  CHECK(inflateInit2(&stream, gzip_only) == Z_OK);
  struct End {
    z_stream& stream;
    ~End() { inflateEnd(&stream); }
  } end{stream};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  Members members;
  static std::vector<unsigned char> out(out_bytes_max);
  size_t begin = 0;  // of the member's text
  while (true) {
    CHECK(inflateValidate(&stream, checked ? 1 : 0) == Z_OK);
    int outcome = Z_OK;
    while (outcome == Z_OK) {
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      outcome = inflate(&stream, Z_NO_FLUSH);
      members.text.append(reinterpret_cast<char*>(out.data()), out.size() - stream.avail_out);
      if (members.text.size() > output_bytes_max) return std::nullopt;
    }
    if (outcome != Z_STREAM_END) return std::nullopt;
    std::string_view text = std::string_view(members.text).substr(begin);
    const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
    begin = members.text.size();
    members.ends.push_back(data.size() - stream.avail_in);
    members.checksums.push_back(static_cast<uint32_t>(crc32(0, bytes, uInt(text.size()))));
    members.lengths.push_back(static_cast<uint32_t>(text.size()));
    auto rest = data.last(stream.avail_in);
    auto zero = [](std::byte value) { return value == std::byte{0}; };
    if (std::ranges::all_of(rest, zero)) return members;
    if (rest.front() != std::byte{0x1f}) return std::nullopt;
    CHECK(inflateReset(&stream) == Z_OK);
  }
}

void check(std::span<const std::byte> data) {
  auto whole = decode(data, SIZE_MAX, out_bytes_max);
  auto cut = decode(data, 1 + data.size() / 7, 1 + data.size() % 4096);
  CHECK(whole.has_value() == cut.has_value());
  if (whole) CHECK(*whole == *cut);
  auto zlib = by_zlib(data, true);
  CHECK(whole.has_value() == zlib.has_value());
  if (whole) CHECK(*whole == zlib->text);
}

void put_right(std::vector<std::byte>& data, const Members& members) {
  for (size_t i = 0; i < members.ends.size(); ++i) {
    std::memcpy(data.data() + members.ends[i] - 8, &members.checksums[i], 4);
    std::memcpy(data.data() + members.ends[i] - 4, &members.lengths[i], 4);
  }
}

// As one member, in a way that the input itself chooses.
void check_compressed(std::span<const std::byte> data) {
  uint8_t choice = data.empty() ? 0 : std::to_integer<uint8_t>(data.front());
  z_stream stream{};
  CHECK(deflateInit2(&stream, choice % 10, Z_DEFLATED, gzip_only - (choice >> 4) % 7, 8,
                     choice % 5) == Z_OK);
  std::vector<std::byte> out(deflateBound(&stream, data.size()) + 64);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  auto decoded = decode(out, 1 + out.size() / 3, 1 + choice);
  CHECK(decoded.has_value() && decoded->size() == data.size());
  CHECK(std::ranges::equal(std::as_bytes(std::span(*decoded)), data));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  check(input);
  // What is gzip data is not compressed once more.
  if (size == 0 || data[0] != 0x1f) {
    check_compressed(input);
    return 0;
  }
  if (auto members = by_zlib(input, false)) {
    std::vector<std::byte> right(input.begin(), input.end());
    put_right(right, *members);
    if (!std::ranges::equal(right, input)) check(right);
  }
  return 0;
}
