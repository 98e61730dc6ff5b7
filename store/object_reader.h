// SPDX-License-Identifier: Apache-2.0
// Finds and reads objects. A frame is checked in full when it is first touched; after that parts of
// it are read without more ado. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>

#include "store/catalog.h"
#include "store/index.h"
#include "store/pack.h"

namespace lyr::store {

struct Located {
  std::shared_ptr<const PackReader> pack;
  uint64_t offset = 0;
  FrameHeader header{};
  bool verified = false;
};

class ObjectReader {
 public:
  ObjectReader(const Fd& packs, Index& index, const Catalog& catalog)
      : packs_(packs), index_(index), catalog_(catalog) {}

  // Reads at most data.size() bytes from `offset` on; fewer when the object ends. ENOENT: no such
  // object; EIO: damaged.
  Result<size_t> read(const ObjectId& object, uint64_t offset, std::span<std::byte> data);
  // Where a good copy's frame is, by its header alone; absent when there is none.
  std::optional<Place> find(const ObjectId& object);
  // Adds what other processes committed to the index. True when that brought anything.
  Result<bool> catch_up();

 private:
  struct Shard {
    std::mutex mutex;  // guards located
    std::unordered_map<ObjectId, Located, ObjectHash> located;
  };

  Result<Located> locate(const ObjectId& object);
  std::optional<Located> search(const ObjectId& object);
  Result<std::shared_ptr<const PackReader>> pack(PackNumber number);
  Shard& shard(const ObjectId& object) { return shards_[object.xxh3_high % shards_.size()]; }

  const Fd& packs_;
  Index& index_;
  const Catalog& catalog_;
  std::array<Shard, 16> shards_;
  std::mutex packs_mutex_;  // guards open_packs_ and recent_packs_
  std::unordered_map<PackNumber, std::shared_ptr<const PackReader>> open_packs_;
  std::list<PackNumber> recent_packs_;
};

}  // namespace lyr::store
