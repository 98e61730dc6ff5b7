// SPDX-License-Identifier: Apache-2.0
// What a reader knows of the frames that collections dropped. The index may still name them, and
// until they are punched out they are whole: what is found there must not be remembered.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "store/catalog.h"
#include "store/index_table.h"

namespace lyr::store {

// Thread-safe.
class DroppedPlaces {
 public:
  // `catalog` outlives it.
  explicit DroppedPlaces(const Catalog& catalog) : catalog_(catalog) {}

  // Whether the frame was dropped before the index had the epoch `epoch`; it may have been since.
  // The catalogue is asked once for each pack and epoch.
  Result<bool> contains(const Place& place, uint64_t epoch);

 private:
  const Catalog& catalog_;
  std::mutex mutex_;  // guards all below
  uint64_t epoch_ = 0;
  std::unordered_map<PackNumber, DroppedFrames> packs_;  // as of epoch_, or later
};

}  // namespace lyr::store
