// SPDX-License-Identifier: Apache-2.0
// Writes what is live in some packs to new ones, as it is or compressed. Nothing changes before
// commit(), whose one transaction puts the new packs in the place of the old; a rewriter that goes
// without it leaves nothing.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "store/liveness.h"
#include "store/pack_writes.h"
#include "store/store_state.h"

namespace lyr::store {

// Not thread-safe.
class PackRewriter {
 public:
  PackRewriter(Store::State& store, bool compress) : store_(store), compress_(compress) {}
  PackRewriter(const PackRewriter&) = delete;
  PackRewriter& operator=(const PackRewriter&) = delete;
  ~PackRewriter();

  // Copies what is live of this pack; each frame is checked. EIO: one is damaged, and the pack is
  // left as it is.
  Result<> add(const Liveness& liveness, const PackObjects& pack);
  // Bytes that were added since the last commit.
  uint64_t uncommitted_bytes() const { return read_bytes_; }
  // Makes the new packs durable and known, then removes the old ones.
  Result<> commit();

 private:
  struct Frame {
    ObjectId key;
    FrameHeader header{};
    std::vector<std::byte> stored;
  };

  Result<Frame> read(const PackReader& pack, const PackFooterEntry& entry) const;
  void compress(std::vector<Frame>& batch) const;
  Result<> write(const Frame& frame);
  Result<> seal();

  Store::State& store_;
  bool compress_;
  PackWrites writes_;
  std::optional<PackWriter> writer_;
  std::vector<std::shared_ptr<const Fd>> files_;  // of sealed packs, locked
  PackChange change_;
  uint64_t read_bytes_ = 0;
};

}  // namespace lyr::store
