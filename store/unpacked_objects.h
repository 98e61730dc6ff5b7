// SPDX-License-Identifier: Apache-2.0
// The compressed objects that were read last, decompressed: a file is read in parts that are
// smaller than its objects.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "store/object.h"

namespace lyr::store {

constexpr size_t unpacked_objects_max = 16;  // at most 4 MiB

// Room for any object. Not zeroed: a small one touches a page of it.
using ObjectBuffer = std::unique_ptr<std::byte[]>;
ObjectBuffer make_object_buffer();

// Thread-safe.
class UnpackedObjects {
 public:
  // Copies the part that starts at `offset` and lies in the object. False: it is not here.
  bool read(const ObjectId& object, uint64_t offset, std::span<std::byte> data);
  // Takes what was decompressed into `whole`, and gives another buffer for the next one: memory
  // that is given back to the kernel each time costs more than decompressing does.
  ObjectBuffer keep(const ObjectId& object, ObjectBuffer whole);

 private:
  struct Kept {
    ObjectId object;
    ObjectBuffer bytes;
  };

  std::mutex mutex_;      // guards all below
  std::list<Kept> kept_;  // the most recently used first
  std::unordered_map<ObjectId, std::list<Kept>::iterator, ObjectHash> found_;
};

}  // namespace lyr::store
