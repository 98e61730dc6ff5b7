// SPDX-License-Identifier: Apache-2.0
#include "store/dropped_places.h"

#include <utility>

namespace lyr::store {

Result<bool> DroppedPlaces::contains(const Place& place, uint64_t epoch) {
  std::scoped_lock lock(mutex_);
  if (epoch != std::exchange(epoch_, epoch)) packs_.clear();
  auto found = packs_.find(place.pack);
  if (found == packs_.end()) {
    auto dropped = TRY(catalog_.dropped(place.pack));
    found = packs_.emplace(place.pack, std::move(dropped)).first;
  }
  return found->second.contains(place.offset);
}

}  // namespace lyr::store
