// SPDX-License-Identifier: Apache-2.0
// Any zstd data gives bytes or an error, the same however the input is cut, and never more than
// asked.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "image/decode.h"

namespace {

using namespace lyr::image;

constexpr size_t output_bytes_max = 4 << 20;
constexpr DecodeLimits limits{.bytes_max = output_bytes_max};

class CutReader final : public ByteReader {
 public:
  CutReader(std::span<const std::byte> data, size_t piece_bytes)
      : data_(data), piece_bytes_(piece_bytes) {}
  lyr::Result<size_t> read(std::span<std::byte> out) override {
    size_t count = std::min({out.size(), piece_bytes_, data_.size()});
    if (count > 0) std::memcpy(out.data(), data_.data(), count);
    data_ = data_.subspan(count);
    return count;
  }

 private:
  std::span<const std::byte> data_;
  size_t piece_bytes_;
};

lyr::Result<std::string> decode(std::span<const std::byte> data, size_t piece_bytes) {
  auto reader = make_zstd_reader(std::make_unique<CutReader>(data, piece_bytes), limits);
  return read_all(*reader, output_bytes_max);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  auto whole = decode(input, SIZE_MAX);
  auto cut = decode(input, 1 + size / 7);
  // libzstd checks less of a frame that it has whole, so only what both accept must agree.
  if (whole && cut) CHECK(*whole == *cut);
  return 0;
}
