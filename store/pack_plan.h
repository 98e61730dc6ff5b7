// SPDX-License-Identifier: Apache-2.0
// What a collection does with one pack: nothing, take it away, punch holes where its dead frames
// lie, or write its live frames to a new pack. Punching needs no space and moves nothing, but gives
// back whole blocks only.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <vector>

#include "store/liveness.h"

namespace lyr::store {

struct FileRange {
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct PackPlan {
  enum class Kind : uint8_t { keep, remove, punch, rewrite };
  Kind kind = Kind::keep;
  uint64_t live_bytes = 0;  // of frames, with their headers
  uint64_t dead_bytes = 0;
  uint64_t dead_objects = 0;
  uint64_t disk_bytes = 0;       // that the file has now
  uint64_t punched_bytes = 0;    // that it would have at most, punched
  std::vector<FileRange> holes;  // whole blocks without anything live; for punch

  // What the file, or what comes of it, takes afterwards.
  uint64_t bytes_after() const;
};

// A pack is written anew when, punched, it would still be less than this full.
constexpr uint64_t full_enough_percent = 60;
constexpr uint64_t punch_block_bytes = 4096;

PackPlan plan_pack(const Liveness& liveness, const PackObjects& pack, const struct stat& status);

}  // namespace lyr::store
