// SPDX-License-Identifier: Apache-2.0
// Content-defined chunking: FastCDC (Xia et al., USENIX ATC 2016; two bytes a step, 2020). The same
// bytes are cut at the same places wherever they stand. What the store keeps is cut with chunks of
// 16, 64 and 256 KiB at least, on average and at most; other sizes are for those who compare.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lyr::store {

constexpr size_t chunk_bytes_min = 16 << 10;
constexpr size_t chunk_bytes_average = 64 << 10;
constexpr size_t chunk_bytes_max = 256 << 10;

// Where to cut. A position is a cut when the hash's bits under the mask are all zero.
struct ChunkRule {
  size_t bytes_min;
  size_t bytes_average;
  size_t bytes_max;
  uint64_t mask_before;  // until the average
  uint64_t mask_after;
};

// Normalised chunking of level 2: harder to cut before the average, easier after it, which keeps
// most chunks near it. The high bits of a gear hash have seen the most bytes. `bytes_average`: a
// power of two from 64 on; at least a quarter of it, at most four times it.
constexpr ChunkRule chunk_rule(size_t bytes_average) {
  auto high_bits = [](int count) { return ((uint64_t{1} << count) - 1) << (64 - count); };
  int bits = std::bit_width(bytes_average) - 1;
  return {bytes_average / 4, bytes_average, bytes_average * 4, high_bits(bits + 2),
          high_bits(bits - 2)};
}

// The length of the first chunk of `data`: data.size() when no cut is found before its end, so give
// it at least rule.bytes_max bytes unless the file ends with them.
size_t first_chunk(std::span<const std::byte> data, const ChunkRule& rule);
// By the store's own rule.
size_t first_chunk(std::span<const std::byte> data);

// Whether `data`, of one byte at least, is nothing but zeros.
bool all_zeros(std::span<const std::byte> data);

}  // namespace lyr::store
