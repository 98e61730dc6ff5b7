// SPDX-License-Identifier: Apache-2.0
// Gives its bytes in pieces of at most a size, as a pipe may, and the end once only as an end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "image/byte_stream.h"

namespace lyr::fuzz {

class CutReader final : public image::ByteReader {
 public:
  CutReader(std::span<const std::byte> data, size_t piece_bytes)
      : data_(data), piece_bytes_(piece_bytes) {}
  Result<size_t> read(std::span<std::byte> out) override {
    size_t count = std::min({out.size(), piece_bytes_, data_.size()});
    if (count > 0) std::memcpy(out.data(), data_.data(), count);
    data_ = data_.subspan(count);
    return count;
  }

 private:
  std::span<const std::byte> data_;
  size_t piece_bytes_;
};

}  // namespace lyr::fuzz
