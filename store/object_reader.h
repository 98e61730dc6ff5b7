// SPDX-License-Identifier: Apache-2.0
// Finds and reads objects. A frame is checked in full when this process first touches it; after
// that parts of it are read without more ado. Where one copy is damaged, another one serves.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>

#include "base/sys_read_batch.h"
#include "store/catalog.h"
#include "store/dropped_places.h"
#include "store/index.h"
#include "store/pack_set.h"
#include "store/unpacked_objects.h"

namespace lyr::store {

// A frame that was checked.
struct Located {
  Place place;
  uint32_t bytes = 0;  // of the object
  bool compressed = false;
  uint64_t epoch = 0;  // of the index, from before it was looked for
};

constexpr size_t batch_parts_max = 16;

// What is wanted of one object, and what came of it.
struct ObjectPart {
  ObjectId object;
  uint64_t offset = 0;
  std::span<std::byte> data;
  uint64_t object_bytes = 0;       // of the whole object, as far as is known; only a hint
  Result<size_t> got = size_t{0};  // as of read()
};

// Thread-safe.
class ObjectReader {
 public:
  ObjectReader(const Fd& packs, Index& index, const Catalog& catalog,
               sys::ReadWay way = sys::ReadWay::ring)
      : packs_(packs), index_(index), catalog_(catalog), dropped_(catalog), batches_(way) {}

  // Reads at most data.size() bytes from `offset` on; fewer when the object ends. EIO: damaged in
  // every copy, or missing.
  Result<size_t> read(const ObjectId& object, uint64_t offset, std::span<std::byte> data);
  // The same of at most batch_parts_max parts, from the disk at once. What is in `data` of one that
  // failed, or behind what it got, means nothing.
  void read_parts(std::span<ObjectPart> parts);
  // Where the store has exactly these bytes, compared one by one: a damaged copy is none. Looks
  // only at places that `may_use`, and calls that before it reads there.
  std::optional<Place> find_same(const ObjectId& object, std::span<const std::byte> data,
                                 const std::function<bool(const Place&)>& may_use);
  // Reads the object in the frame at `place`, checked: data.size() must be its size.
  Result<> read_frame(const Place& place, const ObjectId& object, std::span<std::byte> data);
  // Adds what other processes committed to the index. True when that brought anything.
  Result<bool> catch_up();

  // Makes the index anew of what the packs hold now.
  Result<> reindex();

  PackSet& packs() { return packs_; }

 private:
  struct Shard {
    std::mutex mutex;  // guards located
    std::unordered_map<ObjectId, Located, ObjectHash> located;
  };

  struct Frame {
    std::shared_ptr<const PackReader> pack;
    FrameHeader header{};
  };

  struct Reading;  // of one part of a batch

  // Both false when the part is left to read().
  bool plan(ObjectPart& part, size_t& spare, Reading& reading);
  bool take(Reading& reading, size_t got);
  static std::span<std::byte> object_in(const Reading& reading, size_t got,
                                        const ObjectBuffer& buffer);

  // Room for any object, until it is asked for again.
  static ObjectBuffer& this_threads_buffer();
  Result<Frame> open_frame(const Place& place);
  // Of an object whose frame was checked: the part of it that `data` has room for.
  Result<size_t> read_located(const ObjectId& object, const Located& located, uint64_t offset,
                              std::span<std::byte> data);
  Result<size_t> read_compressed(const ObjectId& object, const Located& located, uint64_t offset,
                                 std::span<std::byte> data);
  std::optional<Located> known(const ObjectId& object);
  void remember(const ObjectId& object, const Located& located);
  void forget(const ObjectId& object);
  // Calls `each` for the places that the index has for it, until it returns true: first for those
  // in the pack that this thread was in last, where the file's other pieces may be.
  void each_place(const ObjectId& object, const std::function<bool(const Place&)>& each);
  static void came_to(const Place& place);  // this thread
  // The first whole copy, read into `whole` (object_bytes_max bytes). `epoch`: the index's.
  std::optional<Located> search(const ObjectId& object, uint64_t epoch, std::span<std::byte> whole,
                                Error& damage);
  Result<Located> locate(const ObjectId& object, std::span<std::byte> whole);
  // Makes the index anew from every pack, once for each state of the catalogue.
  Result<bool> index_all();
  Result<> index_anew(uint64_t current);  // indexing_ held
  // What is in the packs that came after `sequence`, some at a time.
  using EntrySink = std::function<Result<>(std::span<const IndexEntry>)>;
  Result<> entries_since(uint64_t sequence, const EntrySink& each);
  Shard& shard(const ObjectId& object) { return shards_[object.xxh3_high % shards_.size()]; }

  PackSet packs_;
  UnpackedObjects unpacked_;
  Index& index_;
  const Catalog& catalog_;
  DroppedPlaces dropped_;
  sys::ReadBatches batches_;
  std::array<Shard, 16> shards_;
  std::mutex indexing_;  // guards indexed_all_at_, and keeps threads from doing the same work
  std::optional<uint64_t> indexed_all_at_;  // the sequence at which all was last indexed
};

}  // namespace lyr::store
