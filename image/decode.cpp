// SPDX-License-Identifier: Apache-2.0
#include "image/decode.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace lyr::image {
namespace {

constexpr size_t magic_bytes_max = 6;
constexpr std::string_view gzip_magic("\x1f\x8b", 2);
constexpr std::string_view zstd_magic("\x28\xb5\x2f\xfd", 4);
constexpr std::string_view bzip2_magic("BZh", 3);
constexpr std::string_view xz_magic(
    "\xfd"
    "7zXZ\0",
    6);

// Gives back the bytes that were looked at, then the rest.
class PrefixedReader final : public ByteReader {
 public:
  PrefixedReader(std::string prefix, std::unique_ptr<ByteReader> rest)
      : prefix_(std::move(prefix)), rest_(std::move(rest)) {}

  Result<size_t> read(std::span<std::byte> data) override {
    if (at_ == prefix_.size()) return rest_->read(data);
    size_t count = std::min(data.size(), prefix_.size() - at_);
    std::memcpy(data.data(), prefix_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  std::string prefix_;
  size_t at_ = 0;
  std::unique_ptr<ByteReader> rest_;
};

// A zstd stream may begin with a skippable frame: magic 0x184D2A5?, little endian.
bool is_skippable_frame(std::string_view magic) {
  return magic.size() >= 4 && (magic[0] & 0xf0) == 0x50 && magic.substr(1, 3) == "\x2a\x4d\x18";
}

}  // namespace

Result<> check_expansion(uint64_t consumed, uint64_t produced, const DecodeLimits& limits) {
  bool suspect = produced > limits.bytes_unquestioned && produced / limits.ratio_max > consumed;
  if (suspect || produced > limits.bytes_max) {
    return fail(EFBIG, "decompress",
                "more than " + std::to_string(produced >> 20) + " MiB from " +
                    std::to_string(consumed >> 10) + " KiB (a decompression bomb?)");
  }
  return {};
}

Result<Decoded> open_decoded(std::unique_ptr<ByteReader> input, const DecodeLimits& limits) {
  std::string magic(magic_bytes_max, '\0');
  size_t count = TRY(read_up_to(*input, std::as_writable_bytes(std::span(magic))));
  magic.resize(count);
  Decoded decoded;
  if (magic.starts_with(bzip2_magic) || magic.starts_with(xz_magic)) {
    return fail_saying(
        EPROTONOSUPPORT,
        "it is compressed in a way lyr cannot read: decompress it first, or use gzip "
        "or zstd");
  }
  bool zstd = magic.starts_with(zstd_magic) || is_skippable_frame(magic);
  bool gzip = magic.starts_with(gzip_magic);
  decoded.reader = std::make_unique<PrefixedReader>(std::move(magic), std::move(input));
  if (gzip) {
    decoded.compression = Compression::gzip;
    decoded.reader = make_gzip_reader(std::move(decoded.reader), limits);
  } else if (zstd) {
    decoded.compression = Compression::zstd;
    decoded.reader = make_zstd_reader(std::move(decoded.reader), limits);
  }
  return decoded;
}

}  // namespace lyr::image
