// SPDX-License-Identifier: Apache-2.0
// The compression function of SHA-256 by the processor's own instructions, for one message or two
// at once. What PairedSha256 is made of; all else uses base/digest.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/digest.h"

namespace lyr {

constexpr size_t sha256_block_bytes = 64;

// The eight words a to h in the order in which the instructions take them: f e b a, h g d c.
struct alignas(16) Sha256Words {
  uint32_t words[8];
};

constexpr Sha256Words sha256_start{{0x9b05688c, 0x510e527f, 0xbb67ae85, 0x6a09e667, 0x5be0cd19,
                                    0x1f83d9ab, 0xa54ff53a, 0x3c6ef372}};

bool sha256_has_hardware();

// Only where sha256_has_hardware(). `count` blocks, each 64 bytes, from `data` on.
void sha256_blocks(Sha256Words& state, const std::byte* data, size_t count);
// The same of two messages, `count` blocks of each.
void sha256_block_pairs(Sha256Words& first, const std::byte* first_data, Sha256Words& second,
                        const std::byte* second_data, size_t count);

// Writes the last one or two blocks of a message of `bytes` bytes whose end `rest` (less than a
// block) they begin with; returns how many they are.
size_t sha256_pad(std::span<const std::byte> rest, uint64_t bytes,
                  std::byte (&blocks)[2 * sha256_block_bytes]);
Digest sha256_digest(const Sha256Words& state);

}  // namespace lyr
