// SPDX-License-Identifier: Apache-2.0
// The objects that one import has met: each has a number, from 0 on in the order in which they
// came. What they are called and where they are is in a spool; in memory is only how to find them,
// some 16 bytes for an object.
#pragma once

#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/index_table.h"
#include "store/object.h"
#include "store/record_index.h"
#include "store/spool.h"
#include "store/tree_builder.h"

namespace lyr::store {

struct ImportObject {
  uint32_t number = 0;
  std::optional<Place> place;  // where the import put it; none: the store had it
};

// Thread-safe.
class ImportObjects {
 public:
  // `directory`, for an unnamed file, outlives it.
  explicit ImportObjects(const Fd& directory);

  Result<std::optional<ImportObject>> find(const ObjectId& object);
  // EFBIG: too many for numbers.
  Result<ImportObject> add(const ObjectId& object, const std::optional<Place>& place);
  size_t written() const;  // that have a place
  // For a tree; the numbers are quickest in their order. Not thread-safe; `this` outlives it.
  TreeObjects for_tree();

 private:
  struct Record {
    ObjectId object;
    Place place;  // offset 0: none
  };
  static ImportObject object_of(uint32_t number, const Record& record);
  Result<> read(uint32_t first, std::span<Record> records) const;  // mutex_ held

  mutable std::mutex mutex_;  // guards all below
  Spool records_;
  RecordIndex index_;
  uint32_t count_ = 0;
  size_t written_ = 0;
  // The last of each kind that were asked for: copies of a file lie near each other.
  struct Recent {
    uint32_t number = UINT32_MAX;
    Record record;
  };
  std::vector<Recent> recent_;
};

}  // namespace lyr::store
