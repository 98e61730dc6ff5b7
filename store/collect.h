// SPDX-License-Identifier: Apache-2.0
// The steps of a collection, and what other files of this room use of them.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "store/lease.h"
#include "store/liveness.h"
#include "store/pack_plan.h"
#include "store/store_state.h"

namespace lyr::store {

// Blocks of all files of the store.
Result<uint64_t> disk_bytes(const Store::State& state);

// Marks what these layers' recipes name. EUCLEAN or ENOENT: a recipe is damaged or lost.
Result<> mark_layers(const Store::State& state, const std::set<Digest>& layers, Liveness& liveness);

class Collection {
 public:
  Collection(Store::State& state, const CollectOptions& options)
      : state_(state), options_(options) {}

  Result<CollectReport> run();

 private:
  struct Planned {
    PackObjects pack;
    PackPlan plan;
  };

  Result<> forget_layers();
  Result<> remove_hot_files();  // hot_check.cpp
  Result<> mark();
  Result<> plan();   // which packs change
  Result<> lease();  // those; what is not to be had is not changed
  Result<bool> may_compress(const PackObjects& pack, const struct stat& status) const;
  void count();
  void foretell();
  Result<> change();
  Result<> remove_and_punch(const std::vector<Planned>& packs);
  Result<> rewrite(const std::vector<Planned>& packs);
  Result<> punch(const Planned& planned);
  Result<DroppedFrames> dropped_of(const Planned& planned) const;

  Store::State& state_;
  const CollectOptions& options_;
  CollectReport report_;
  std::set<Digest> layers_;  // that are marked
  std::optional<Liveness> liveness_;
  std::optional<Leases> leases_;
  std::optional<std::set<PackNumber>> leased_;
  std::vector<Planned> planned_;
  uint64_t hot_bytes_removed_ = 0;
};

}  // namespace lyr::store
