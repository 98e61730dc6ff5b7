// SPDX-License-Identifier: Apache-2.0
#include "store/import_leases.h"

namespace lyr::store {

std::optional<DroppedFrames> ImportLeases::lease(PackNumber pack) {
  auto shared = leases_.share(pack);
  if (!shared || !*shared) return std::nullopt;
  // From here on nothing changes it; it may have gone before.
  auto record = catalog_.pack(pack);
  if (!record || !*record) return std::nullopt;
  auto dropped = catalog_.dropped(pack);
  if (!dropped) return std::nullopt;
  return std::move(*dropped);
}

bool ImportLeases::may_use(const Place& place) {
  std::scoped_lock lock(mutex_);
  auto found = packs_.find(place.pack);
  if (found == packs_.end()) found = packs_.emplace(place.pack, lease(place.pack)).first;
  const auto& dropped = found->second;
  return dropped && !dropped->contains(place.offset);
}

Result<bool> ImportLeases::has_layer(const Digest& diff_id) {
  bool leased = TRY(leases_.share(diff_id));
  if (!leased) return false;
  auto record = TRY(catalog_.layer(diff_id));
  return record.has_value();
}

}  // namespace lyr::store
