// SPDX-License-Identifier: Apache-2.0
// VRAM: the hashless chunker RAM (Widodo et al., "A new content-defined chunking algorithm for data
// deduplication in cloud storage", 2017) with vector instructions, as VectorCDC does it
// (Udayashankar et al., FAST 2025; arXiv 2508.05797). A chunk is a window, and what follows it up
// to and with the first byte that is as great as the greatest of the window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lyr::store {

struct VramRule {
  size_t window_bytes;  // so also the least a chunk has, unless the data ends
  size_t bytes_max;
};

// After a window of random bytes the greatest is 255, and 256 bytes on another one is expected.
constexpr VramRule vram_rule(size_t bytes_average) {
  return {bytes_average - 256, bytes_average * 4};
}

// The length of the first chunk of `data`, as first_chunk (store/chunker.h) has it. By AVX2 where
// the processor has it.
size_t vram_first_chunk(std::span<const std::byte> data, const VramRule& rule);

// The two ways to the same cut. False from vram_has_vectors(): the second must not be called.
size_t vram_first_chunk_by_byte(std::span<const std::byte> data, const VramRule& rule);
size_t vram_first_chunk_by_vector(std::span<const std::byte> data, const VramRule& rule);
bool vram_has_vectors();

}  // namespace lyr::store
