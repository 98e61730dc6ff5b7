// SPDX-License-Identifier: Apache-2.0
#include "store/unpacked_objects.h"

#include <cstring>
#include <utility>

namespace lyr::store {

ObjectBuffer make_object_buffer() {
  return std::make_unique_for_overwrite<std::byte[]>(object_bytes_max);
}

bool UnpackedObjects::read(const ObjectId& object, uint64_t offset, std::span<std::byte> data) {
  std::scoped_lock lock(mutex_);
  auto found = found_.find(object);
  if (found == found_.end()) return false;
  kept_.splice(kept_.begin(), kept_, found->second);
  std::memcpy(data.data(), found->second->bytes.get() + offset, data.size());
  return true;
}

ObjectBuffer UnpackedObjects::keep(const ObjectId& object, ObjectBuffer whole) {
  std::scoped_lock lock(mutex_);
  if (found_.contains(object)) return whole;  // another thread's
  if (kept_.size() < unpacked_objects_max) {
    kept_.push_front({object, std::move(whole)});
    found_.emplace(object, kept_.begin());
    return make_object_buffer();
  }
  Kept& oldest = kept_.back();
  found_.erase(oldest.object);
  oldest.object = object;
  std::swap(oldest.bytes, whole);
  kept_.splice(kept_.begin(), kept_, std::prev(kept_.end()));
  found_.emplace(object, kept_.begin());
  return whole;
}

}  // namespace lyr::store
