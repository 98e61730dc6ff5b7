// SPDX-License-Identifier: Apache-2.0
// The fixed part of a recipe file, and what its body is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace lyr::store {

constexpr uint64_t recipe_magic = 0x315043455252594c;  // "LYRRECP1"
constexpr uint32_t recipe_version = 1;

struct RecipeHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t reserved;
  uint8_t diff_id[32];
  uint64_t tar_bytes;
  uint64_t object_count;  // 48 bytes each after the header: SHA-256, XXH3-128 low, high
  uint64_t body_bytes;    // compressed (zstd), after the objects
  uint64_t checksum;      // XXH3-64 of all that follows, seeded with that of the header before it
};
static_assert(sizeof(RecipeHeader) == 80);
constexpr size_t recipe_object_bytes = 48;

// Of a whole recipe file, at least a header long. `between` is called after each megabyte.
uint64_t recipe_checksum(std::span<const std::byte> file,
                         const std::function<void()>& between = nullptr);

// The body is a run of operations: a varint (LEB128) of length << 2 | kind, then for `verbatim` the
// bytes.
enum class RecipeKind : uint8_t { verbatim = 0, object = 1, zeros = 2 };

}  // namespace lyr::store
