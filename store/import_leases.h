// SPDX-License-Identifier: Apache-2.0
// What one import found in the store and builds on: the packs with objects that it need not write,
// and the layers that it need not read. Each is leased before it is relied on.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>

#include "store/catalog.h"
#include "store/index.h"
#include "store/lease.h"

namespace lyr::store {

// Thread-safe.
class ImportLeases {
 public:
  // `catalog` outlives it.
  ImportLeases(const Catalog& catalog, Leases leases)
      : catalog_(catalog), leases_(std::move(leases)) {}

  // Whether an object at this place may be built on: false when a collection has its pack, or
  // dropped it. What the frame holds must be looked at afterwards, not before.
  bool may_use(const Place& place);
  // Whether the store has this layer, and will until we end.
  Result<bool> has_layer(const Digest& diff_id);

 private:
  std::optional<DroppedFrames> lease(PackNumber pack);

  const Catalog& catalog_;
  Leases leases_;
  std::mutex mutex_;                                                    // guards packs_
  std::unordered_map<PackNumber, std::optional<DroppedFrames>> packs_;  // empty: not for us
};

}  // namespace lyr::store
