// SPDX-License-Identifier: Apache-2.0
#include "store/unpacked_objects.h"

namespace lyr::store {

UnpackedObjects::Bytes UnpackedObjects::find(const ObjectId& object) {
  std::scoped_lock lock(mutex_);
  auto found = found_.find(object);
  if (found == found_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found->second);
  return found->second->bytes;
}

void UnpackedObjects::keep(const ObjectId& object, Bytes bytes) {
  std::scoped_lock lock(mutex_);
  if (found_.contains(object)) return;
  if (kept_.size() >= unpacked_objects_max) {
    found_.erase(kept_.back().object);
    kept_.pop_back();
  }
  kept_.push_front({object, std::move(bytes)});
  found_.emplace(object, kept_.begin());
}

}  // namespace lyr::store
