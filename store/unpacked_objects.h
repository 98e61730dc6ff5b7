// SPDX-License-Identifier: Apache-2.0
// The compressed objects that were read last, decompressed: a file is read in parts that are
// smaller than its objects.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "store/object.h"

namespace lyr::store {

constexpr size_t unpacked_objects_max = 16;  // at most 4 MiB

// Thread-safe.
class UnpackedObjects {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;

  Bytes find(const ObjectId& object);  // null when it is not here
  void keep(const ObjectId& object, Bytes bytes);

 private:
  struct Kept {
    ObjectId object;
    Bytes bytes;
  };

  std::mutex mutex_;      // guards all below
  std::list<Kept> kept_;  // the most recently used first
  std::unordered_map<ObjectId, std::list<Kept>::iterator, ObjectHash> found_;
};

}  // namespace lyr::store
