// SPDX-License-Identifier: Apache-2.0
// index.tbl: where objects lie, as a mapped open-addressing table from XXH3-128 to pack and offset.
// A cache: whoever finds a place there checks the frame's SHA-256 before believing it, and all of
// it can be made again from the packs' footers.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>

#include "base/result.h"
#include "base/sys_file.h"
#include "store/index_table.h"
#include "store/object.h"

namespace lyr::store {

struct IndexEntry {
  uint64_t xxh3_low = 0;
  uint64_t xxh3_high = 0;
  Place place;
};

// Thread-safe, and safe beside other processes that use the same file. Reading waits for nobody.
class Index {
 public:
  // Makes an empty table when there is none or it is not one of ours; sequence() is then 0.
  static Result<std::unique_ptr<Index>> open(const Fd& directory);

  // The catalogue's sequence up to which all packs are in the table.
  uint64_t sequence();
  // Calls `each` for every place this key may have, until it returns true.
  void find(const ObjectId& object, const std::function<bool(const Place&)>& each);
  // What was learnt of places before it changed is to be looked at again: dead frames are punched
  // out only after it has.
  uint64_t epoch();
  Result<> advance_epoch();
  // Makes room for `count` more, so that add() cannot fail for want of disk space.
  Result<> reserve(size_t count);
  // Adds entries (twice is harmless) and then states that the table is whole up to `sequence`, if
  // one is given. EUCLEAN: the table is damaged; only replace() helps.
  Result<> add(std::span<const IndexEntry> entries, std::optional<uint64_t> sequence);
  // Makes the table anew, of just these.
  Result<> replace(std::span<const IndexEntry> entries, uint64_t sequence);
  // What somebody left who was killed while making a table.
  void remove_unfinished();

 private:
  Index(Fd directory, Fd lock) : directory_(std::move(directory)), lock_(std::move(lock)) {}

  struct Current {
    std::shared_ptr<IndexTable> table;
    uint64_t number = 0;  // greater after each change, and each that could not be followed
  };

  // The table as it is now: the newer file, when another process made one.
  Current current();
  std::shared_ptr<IndexTable> table() { return current().table; }
  Current set_table(IndexTable table);
  Result<bool> open_table();
  // writing_ and the file's lock held:
  Result<std::shared_ptr<IndexTable>> named_table();  // EUCLEAN: it is gone, or damaged
  Result<> grow(size_t count, size_t packs);
  Result<> publish(IndexTable table, IndexTable* old);

  Fd directory_;
  std::mutex writing_;
  Fd lock_;                  // index.lock: held by who writes, with writing_
  std::shared_mutex mutex_;  // guards current_, not what is in the table
  Current current_;
};

}  // namespace lyr::store
