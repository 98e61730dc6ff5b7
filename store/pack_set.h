// SPDX-License-Identifier: Apache-2.0
// The packs that are open for reading: a bounded cache, the least recently used is closed first.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/fd.h"
#include "store/pack.h"

namespace lyr::store {

constexpr size_t open_packs_max = 64;

// Thread-safe. A reader that is given out stays good when it leaves the cache.
class PackSet {
 public:
  explicit PackSet(const Fd& packs) : packs_(packs) {}

  const Fd& directory() const { return packs_; }
  // With the length the file has now: whether a frame is whole its own checksum says. ENOENT: no
  // such pack.
  Result<std::shared_ptr<const PackReader>> open(PackNumber number);
  // The same, of a pack that may have grown since it was opened.
  Result<std::shared_ptr<const PackReader>> reopen(PackNumber number);
  // Closes them all: a removed pack's space is free only then.
  void clear();

 private:
  struct Opened {
    std::shared_ptr<const PackReader> reader;
    std::list<PackNumber>::iterator used;
  };

  const Fd& packs_;
  std::mutex mutex_;  // guards all below
  std::unordered_map<PackNumber, Opened> opened_;
  std::list<PackNumber> used_;  // the most recently used first
};

}  // namespace lyr::store
