// SPDX-License-Identifier: Apache-2.0
#include "store/chunker.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

// The first byte of two is asked for one bit less than the second.
struct Masks {
  explicit constexpr Masks(uint64_t mask) : first(mask & ~(uint64_t{1} << 63)), second(mask) {}
  uint64_t first;
  uint64_t second;
};

// A byte moves out of the hash after 64 steps: what it is anywhere follows from the bytes before.
constexpr size_t hash_memory_bytes = 64;

// Each step waits for the one before, so several stretches are hashed at once.
constexpr size_t lanes = 2;
constexpr size_t lane_bytes = 4096;

uint64_t step(uint64_t hash, std::byte byte) {
  return (hash << 1) + gear[static_cast<uint8_t>(byte)];
}

// The end of the chunk that ends in [from, to), or 0. `hash`: of what stands before, and after.
size_t cut_within(const std::byte* data, size_t from, size_t to, Masks masks, uint64_t& hash) {
  for (size_t at = from; at + 2 <= to; at += 2) {
    hash = step(hash, data[at]);
    if ((hash & masks.first) == 0) return at + 1;
    hash = step(hash, data[at + 1]);
    if ((hash & masks.second) == 0) return at + 2;
  }
  return 0;
}

// The same of [from, from + lanes * lane_bytes).
size_t cut_within_lanes(const std::byte* data, size_t from, Masks masks, uint64_t& hash) {
  data += from;
  uint64_t hashes[lanes] = {hash};
  for (size_t i = 1; i < lanes; ++i) {
    const std::byte* begin = data + i * lane_bytes;
    for (size_t back = hash_memory_bytes; back > 0; --back) {
      hashes[i] = step(hashes[i], *(begin - back));
    }
  }
  for (size_t at = 0; at < lane_bytes; at += 2) {
    uint64_t before[lanes];
    bool cut = false;
    for (size_t i = 0; i < lanes; ++i) {
      before[i] = hashes[i];
      uint64_t first = step(hashes[i], data[i * lane_bytes + at]);
      hashes[i] = step(first, data[i * lane_bytes + at + 1]);
      cut |= (first & masks.first) == 0;
      cut |= (hashes[i] & masks.second) == 0;
    }
    if (!cut) [[likely]]
      continue;
    // The first lane that has one counts, and those before it may still find theirs.
    for (size_t i = 0; i < lanes; ++i) {
      size_t end = (i + 1) * lane_bytes;
      size_t found = cut_within(data, i * lane_bytes + at, end, masks, before[i]);
      if (found != 0) return from + found;
    }
  }
  hash = hashes[lanes - 1];
  return 0;
}

size_t find_cut(const std::byte* data, size_t from, size_t to, Masks masks, uint64_t& hash) {
  constexpr size_t at_once = lanes * lane_bytes;
  for (; to - from >= at_once; from += at_once) {
    size_t cut = cut_within_lanes(data, from, masks, hash);
    if (cut != 0) return cut;
  }
  return cut_within(data, from, to, masks, hash);
}

// Inline, so that the store's own rule is a constant in its copy.
inline size_t cut_first(std::span<const std::byte> data, const ChunkRule& rule) {
  size_t size = std::min(data.size(), rule.bytes_max);
  if (size <= rule.bytes_min) return size;
  uint64_t hash = 0;
  size_t middle = std::min(size, rule.bytes_average);
  size_t cut = find_cut(data.data(), rule.bytes_min, middle, Masks(rule.mask_before), hash);
  if (cut == 0) cut = find_cut(data.data(), middle, size, Masks(rule.mask_after), hash);
  return cut == 0 ? size : cut;
}

constexpr ChunkRule store_rule = chunk_rule(chunk_bytes_average);
static_assert(store_rule.bytes_min == chunk_bytes_min && store_rule.bytes_max == chunk_bytes_max);

}  // namespace

size_t first_chunk(std::span<const std::byte> data, const ChunkRule& rule) {
  return cut_first(data, rule);
}

size_t first_chunk(std::span<const std::byte> data) { return cut_first(data, store_rule); }

bool all_zeros(std::span<const std::byte> data) {
  // Equal to itself shifted by one, and zero at the start: memcmp is as fast as memory.
  return data.front() == std::byte{0} &&
         std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0;
}

}  // namespace lyr::store
