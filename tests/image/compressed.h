// SPDX-License-Identifier: Apache-2.0
// What tests give to a reader that decompresses.
#pragma once

#include <zstd.h>

#include <string>
#include <string_view>

namespace lyr::image {

inline std::string zstd(std::string_view data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 1));
  return out;
}

}  // namespace lyr::image
