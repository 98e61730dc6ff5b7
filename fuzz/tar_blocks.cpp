// SPDX-License-Identifier: Apache-2.0
#include "fuzz/tar_blocks.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "image/tar_header.h"

namespace lyr::fuzz {
namespace {

constexpr size_t block_bytes = image::tar_block_bytes;
constexpr size_t checksum_offset = 148;
constexpr size_t checksum_bytes = 8;
constexpr size_t magic_offset = 257;

bool is_header(std::span<const std::byte> block) {
  return std::memcmp(block.data() + magic_offset, "ustar", 5) == 0;
}

}  // namespace

bool put_checksums_right(std::span<std::byte> tar) {
  bool changed = false;
  for (; tar.size() >= block_bytes; tar = tar.subspan(block_bytes)) {
    auto block = tar.first(block_bytes);
    if (!is_header(block)) continue;
    uint32_t sum = checksum_bytes * ' ';
    for (size_t i = 0; i < block_bytes; ++i) {
      bool inside = i >= checksum_offset && i < checksum_offset + checksum_bytes;
      if (!inside) sum += std::to_integer<uint8_t>(block[i]);
    }
    char text[checksum_bytes + 1];
    std::snprintf(text, sizeof text, "%06o%c ", sum, 0);
    auto field = block.subspan(checksum_offset, checksum_bytes);
    if (std::memcmp(field.data(), text, checksum_bytes) == 0) continue;
    std::memcpy(field.data(), text, checksum_bytes);
    changed = true;
  }
  return changed;
}

}  // namespace lyr::fuzz
