// SPDX-License-Identifier: Apache-2.0
// Reads frames that lie one after the other in a pack with few calls: a stretch of the file at a
// time.
#pragma once

#include <memory>
#include <span>

#include "store/index.h"
#include "store/pack_set.h"

namespace lyr::store {

constexpr size_t frame_window_bytes = 512 << 10;  // more than a frame; a CPU's cache holds it

// Not thread-safe.
class FrameWindow {
 public:
  // `packs` outlives it.
  explicit FrameWindow(PackSet& packs);

  // The object of `bytes` bytes in the frame at `place`: EIO unless it is there and whole. Valid
  // until the next call.
  Result<std::span<const std::byte>> read(const Place& place, const ObjectId& object,
                                          uint64_t bytes);
  // What is read from now on may have been written since.
  void forget() { length_ = 0; }

 private:
  PackSet& packs_;
  std::unique_ptr<std::byte[]> buffer_;
  std::shared_ptr<const PackReader> pack_;
  Place begin_;  // of what is in the buffer
  size_t length_ = 0;
};

}  // namespace lyr::store
