// SPDX-License-Identifier: Apache-2.0
#include "store/analyze/vram.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/check.h"

namespace lyr::store {
namespace {

// An extreme byte search over the window, then a range scan over what follows: the two patterns
// that VectorCDC finds in all hashless chunkers.
template <class Greatest, class FindAtLeast>
inline size_t cut(std::span<const std::byte> data, const VramRule& rule, Greatest greatest,
                  FindAtLeast find_at_least) {
  size_t size = std::min(data.size(), rule.bytes_max);
  if (size <= rule.window_bytes) return size;
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.data());
  uint8_t limit = greatest(bytes, rule.window_bytes);
  size_t at = find_at_least(bytes, rule.window_bytes, size, limit);
  return at == size ? size : at + 1;
}

uint8_t greatest_by_byte(const uint8_t* bytes, size_t count) {
  uint8_t most = 0;
  for (size_t i = 0; i < count; ++i) most = std::max(most, bytes[i]);
  return most;
}

// Where the first byte >= limit stands, from `from` on; `to`: nowhere before it.
size_t find_by_byte(const uint8_t* bytes, size_t from, size_t to, uint8_t limit) {
  while (from < to && bytes[from] < limit) ++from;
  return from;
}

}  // namespace

size_t vram_first_chunk_by_byte(std::span<const std::byte> data, const VramRule& rule) {
  return cut(data, rule, greatest_by_byte, find_by_byte);
}

#if defined(__x86_64__)

namespace {

constexpr size_t vector_bytes = 32;

__attribute__((target("avx2"))) __m256i load(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

__attribute__((target("avx2"))) uint8_t greatest_by_vector(const uint8_t* bytes, size_t count) {
  // Four at once: one alone would wait for each maximum before the next.
  __m256i most[4] = {};
  size_t at = 0;
  for (; at + 4 * vector_bytes <= count; at += 4 * vector_bytes) {
    for (size_t i = 0; i < 4; ++i) {
      most[i] = _mm256_max_epu8(most[i], load(bytes + at + i * vector_bytes));
    }
  }
  __m256i all =
      _mm256_max_epu8(_mm256_max_epu8(most[0], most[1]), _mm256_max_epu8(most[2], most[3]));
  alignas(vector_bytes) uint8_t lanes[vector_bytes];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), all);
  return std::max(greatest_by_byte(lanes, vector_bytes), greatest_by_byte(bytes + at, count - at));
}

__attribute__((target("avx2"))) size_t find_by_vector(const uint8_t* bytes, size_t from, size_t to,
                                                      uint8_t limit) {
  const __m256i limits = _mm256_set1_epi8(static_cast<char>(limit));
  for (; from + vector_bytes <= to; from += vector_bytes) {
    __m256i piece = load(bytes + from);
    // AVX2 compares bytes as signed or for equality only: x >= limit where max(x, limit) is x.
    __m256i reached = _mm256_cmpeq_epi8(_mm256_max_epu8(piece, limits), piece);
    auto mask = static_cast<uint32_t>(_mm256_movemask_epi8(reached));
    if (mask != 0) return from + static_cast<size_t>(__builtin_ctz(mask));
  }
  return find_by_byte(bytes, from, to, limit);
}

}  // namespace

bool vram_has_vectors() { return __builtin_cpu_supports("avx2"); }

size_t vram_first_chunk_by_vector(std::span<const std::byte> data, const VramRule& rule) {
  return cut(data, rule, greatest_by_vector, find_by_vector);
}

#else

bool vram_has_vectors() { return false; }

size_t vram_first_chunk_by_vector(std::span<const std::byte>, const VramRule&) {
  CHECK(vram_has_vectors());
  return 0;
}

#endif

size_t vram_first_chunk(std::span<const std::byte> data, const VramRule& rule) {
  static const bool vectors = vram_has_vectors();
  return vectors ? vram_first_chunk_by_vector(data, rule) : vram_first_chunk_by_byte(data, rule);
}

}  // namespace lyr::store
