// SPDX-License-Identifier: Apache-2.0
// A stretch of a layer's tar on its way from the thread that cuts it to the one that writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/index.h"
#include "store/object.h"

namespace lyr::store {

constexpr uint64_t layer_batch_bytes = 2 << 20;  // of tar, and what the last operation has more

struct LayerBatch {
  enum class Kind : uint8_t { verbatim, object, zeros };
  struct Operation {
    Kind kind = Kind::verbatim;
    uint64_t bytes = 0;
  };
  struct Object {
    ObjectId id;                 // the cutter fills in XXH3, the writer SHA-256
    std::optional<Place> place;  // where this import put it; none: the store had it
    uint32_t number = 0;         // among the import's
    uint32_t file = 0;           // of which it is a piece, by a number of its own; 0: a whole file
  };

  std::vector<Operation> operations;
  std::vector<Object> objects;  // of the operations, in their order
  std::vector<std::byte> data;  // of all operations but zeros, one after the other
  uint64_t tar_bytes = 0;
  bool named = false;   // the objects have their SHA-256
  uint64_t writes = 0;  // of PackWrites, until all of it is in pack files

  void add(Kind kind, uint64_t bytes) {
    tar_bytes += bytes;
    if (kind != Kind::object && !operations.empty() && operations.back().kind == kind) {
      operations.back().bytes += bytes;
    } else {
      operations.push_back({kind, bytes});
    }
  }
  // Calls `each(object, bytes)` for the objects; stops at the first failure.
  template <class Each>
  Result<> each_object(const Each& each) {
    auto rest = std::span<const std::byte>(data);
    Object* object = objects.data();
    for (const Operation& operation : operations) {
      if (operation.kind == Kind::zeros) continue;
      if (operation.kind == Kind::object) TRY(each(*object++, rest.first(operation.bytes)));
      rest = rest.subspan(operation.bytes);
    }
    return {};
  }
  void clear() {  // but keep the memory
    operations.clear();
    objects.clear();
    data.clear();
    tar_bytes = 0;
    named = false;
  }
};

}  // namespace lyr::store
