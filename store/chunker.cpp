// SPDX-License-Identifier: Apache-2.0
#include "store/chunker.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lyr::store {
namespace {

// The gear table: 256 numbers from SplitMix64. Part of no format: other numbers would only cut
// elsewhere.
constexpr std::array<uint64_t, 256> make_gear() {
  std::array<uint64_t, 256> gear{};
  uint64_t state = 0x6c79722063686e6b;  // "lyr chnk"
  for (uint64_t& entry : gear) {
    state += 0x9e3779b97f4a7c15;
    uint64_t mixed = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    entry = mixed ^ mixed >> 31;
  }
  return gear;
}

constexpr std::array<uint64_t, 256> gear = make_gear();

size_t cut_within(const std::byte* data, size_t from, size_t to, uint64_t mask, uint64_t& hash) {
  uint64_t mask_shifted = mask << 1;
  size_t at = from;
  for (; at + 2 <= to; at += 2) {
    hash = (hash << 2) + (gear[static_cast<uint8_t>(data[at])] << 1);
    if ((hash & mask_shifted) == 0) return at + 1;
    hash += gear[static_cast<uint8_t>(data[at + 1])];
    if ((hash & mask) == 0) return at + 2;
  }
  return 0;
}

// Inline, so that the store's own rule is a constant in its copy.
inline size_t cut_first(std::span<const std::byte> data, const ChunkRule& rule) {
  size_t size = std::min(data.size(), rule.bytes_max);
  if (size <= rule.bytes_min) return size;
  uint64_t hash = 0;
  size_t middle = std::min(size, rule.bytes_average);
  size_t cut = cut_within(data.data(), rule.bytes_min, middle, rule.mask_before, hash);
  if (cut == 0) cut = cut_within(data.data(), middle, size, rule.mask_after, hash);
  return cut == 0 ? size : cut;
}

constexpr ChunkRule store_rule = chunk_rule(chunk_bytes_average);
static_assert(store_rule.bytes_min == chunk_bytes_min && store_rule.bytes_max == chunk_bytes_max);

}  // namespace

size_t first_chunk(std::span<const std::byte> data, const ChunkRule& rule) {
  return cut_first(data, rule);
}

size_t first_chunk(std::span<const std::byte> data) { return cut_first(data, store_rule); }

}  // namespace lyr::store
