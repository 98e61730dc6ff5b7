// SPDX-License-Identifier: Apache-2.0
// An object: a byte string of at most 256 KiB of file content, named by what it holds. Identity is
// SHA-256; XXH3-128 is the index key and the quick "not here", never the proof of equality.
#pragma once

#include <compare>
#include <cstdint>

#include "base/digest.h"

namespace lyr::store {

struct ObjectId {
  Digest sha256;
  uint64_t xxh3_low = 0;  // XXH3-128 of the same bytes
  uint64_t xxh3_high = 0;

  auto operator<=>(const ObjectId&) const = default;
  static ObjectId of(std::span<const std::byte> data);
};

struct ObjectHash {
  size_t operator()(const ObjectId& id) const { return static_cast<size_t>(id.xxh3_low); }
};

constexpr uint64_t object_bytes_max = 256 << 10;
constexpr uint64_t whole_file_bytes_max = 128 << 10;  // a file up to this is one object

// A run of file content. What no extent covers is a hole and reads as zeros.
struct Extent {
  uint64_t file_offset = 0;
  uint64_t length = 0;         // > 0
  uint64_t object_offset = 0;  // object_offset + length <= the object's size
  ObjectId object;
};

// The same of a layer on its way in: its objects are counted from 0 on, for their names come late.
struct LayerExtent {
  uint64_t file_offset = 0;
  uint64_t length = 0;
  uint64_t object_offset = 0;
  uint32_t object = 0;
};

}  // namespace lyr::store
