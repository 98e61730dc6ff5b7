// SPDX-License-Identifier: Apache-2.0
// Intel SHA extensions: SHA256RNDS2 does two rounds, SHA256MSG1 and SHA256MSG2 the message
// schedule (Intel SDM volume 2B). The rounds of one message form a chain of 32 such instructions,
// each of which waits four cycles or so for the last; those of another fit in between.
#include "base/sha256_rounds.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace lyr {

size_t sha256_pad(std::span<const std::byte> rest, uint64_t bytes,
                  std::byte (&blocks)[2 * sha256_block_bytes]) {
  CHECK(rest.size() < sha256_block_bytes);
  size_t count = rest.size() + 1 + sizeof bytes <= sha256_block_bytes ? 1 : 2;
  std::memset(blocks, 0, sizeof blocks);
  if (!rest.empty()) std::memcpy(blocks, rest.data(), rest.size());
  blocks[rest.size()] = std::byte{0x80};
  uint64_t bits = bytes * 8;
  for (size_t i = 0; i < sizeof bits; ++i, bits >>= 8) {
    blocks[count * sha256_block_bytes - 1 - i] = static_cast<std::byte>(bits & 0xff);
  }
  return count;
}

Digest sha256_digest(const Sha256Words& state) {
  constexpr size_t order[] = {3, 2, 7, 6, 1, 0, 5, 4};  // a to h
  Digest digest;
  for (size_t i = 0; i < std::size(order); ++i) {
    uint32_t word = state.words[order[i]];
    for (size_t k = 4; k-- > 0; word >>= 8) digest.bytes[4 * i + k] = word & 0xff;
  }
  return digest;
}

#if defined(__x86_64__)
namespace {

#define LYR_SHA __attribute__((target("sha,sse4.1"), always_inline)) inline

alignas(16) constexpr uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// One message in registers.
struct Lane {
  __m128i abef;
  __m128i cdgh;
  __m128i abef_before;
  __m128i cdgh_before;
  __m128i schedule[4];  // the last sixteen words
};

LYR_SHA void begin(Lane& lane, const Sha256Words& state) {
  const auto* words = reinterpret_cast<const __m128i*>(state.words);
  lane.abef = _mm_load_si128(words);
  lane.cdgh = _mm_load_si128(words + 1);
}

LYR_SHA void end(const Lane& lane, Sha256Words& state) {
  auto* words = reinterpret_cast<__m128i*>(state.words);
  _mm_store_si128(words, lane.abef);
  _mm_store_si128(words + 1, lane.cdgh);
}

LYR_SHA void begin_block(Lane& lane, const std::byte* block) {
  const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const auto* words = reinterpret_cast<const __m128i*>(block);
  for (int i = 0; i < 4; ++i) {
    lane.schedule[i] = _mm_shuffle_epi8(_mm_loadu_si128(words + i), big_endian);
  }
  lane.abef_before = lane.abef;
  lane.cdgh_before = lane.cdgh;
}

LYR_SHA void end_block(Lane& lane) {
  lane.abef = _mm_add_epi32(lane.abef, lane.abef_before);
  lane.cdgh = _mm_add_epi32(lane.cdgh, lane.cdgh_before);
}

// Rounds 4 * group to 4 * group + 3, and the four words of the schedule for sixteen rounds on.
LYR_SHA void four_rounds(Lane& lane, int group) {
  __m128i& now = lane.schedule[group & 3];
  const __m128i& next = lane.schedule[(group + 1) & 3];
  const __m128i& third = lane.schedule[(group + 2) & 3];
  const __m128i& last = lane.schedule[(group + 3) & 3];
  const auto* constants = reinterpret_cast<const __m128i*>(round_constants);
  __m128i sum = _mm_add_epi32(now, _mm_load_si128(constants + group));
  lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, sum);
  if (group < 12) {
    __m128i mixed = _mm_sha256msg1_epu32(now, next);
    mixed = _mm_add_epi32(mixed, _mm_alignr_epi8(last, third, 4));
    now = _mm_sha256msg2_epu32(mixed, last);
  }
  lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

#undef LYR_SHA

}  // namespace

bool sha256_has_hardware() {
  static const bool has = [] {
    constexpr unsigned sse41 = 1u << 19;  // CPUID.1:ECX
    constexpr unsigned sha = 1u << 29;    // CPUID.7.0:EBX
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & sse41) == 0) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & sha) != 0;
  }();
  return has;
}

__attribute__((target("sha,sse4.1"))) void sha256_blocks(Sha256Words& state, const std::byte* data,
                                                         size_t count) {
  Lane lane;
  begin(lane, state);
  for (; count > 0; --count, data += sha256_block_bytes) {
    begin_block(lane, data);
#pragma GCC unroll 16
    for (int group = 0; group < 16; ++group) four_rounds(lane, group);
    end_block(lane);
  }
  end(lane, state);
}

__attribute__((target("sha,sse4.1"))) void sha256_block_pairs(Sha256Words& first,
                                                              const std::byte* first_data,
                                                              Sha256Words& second,
                                                              const std::byte* second_data,
                                                              size_t count) {
  Lane one;
  Lane two;
  begin(one, first);
  begin(two, second);
  for (; count > 0; --count) {
    begin_block(one, first_data);
    begin_block(two, second_data);
    first_data += sha256_block_bytes;
    second_data += sha256_block_bytes;
#pragma GCC unroll 16
    for (int group = 0; group < 16; ++group) {
      four_rounds(one, group);
      four_rounds(two, group);
    }
    end_block(one);
    end_block(two);
  }
  end(one, first);
  end(two, second);
}

#else

bool sha256_has_hardware() { return false; }
void sha256_blocks(Sha256Words&, const std::byte*, size_t) { CHECK(false); }
void sha256_block_pairs(Sha256Words&, const std::byte*, Sha256Words&, const std::byte*, size_t) {
  CHECK(false);
}

#endif

}  // namespace lyr
