// SPDX-License-Identifier: Apache-2.0
// What a unit is known by when schemes are compared: XXH3-128. That is enough to count with, and
// many times faster than SHA-256; who made an image on purpose could make it count too little, so
// nothing but a comparison may believe it.
#pragma once

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"

namespace lyr::store {

struct Fingerprint {
  uint64_t low = 0;
  uint64_t high = 0;

  bool operator==(const Fingerprint&) const = default;
  static Fingerprint of(std::span<const std::byte> data) {
    XXH128_hash_t hash = XXH3_128bits(data.data(), data.size());
    return {hash.low64, hash.high64};
  }
};

// The fingerprint of what comes in pieces.
class FingerprintStream {
 public:
  FingerprintStream() : state_(XXH3_createState()) {
    CHECK(state_ != nullptr);
    XXH3_128bits_reset(state_.get());
  }
  void update(std::span<const std::byte> data) {
    XXH3_128bits_update(state_.get(), data.data(), data.size());
  }
  // Of all so far; then starts anew.
  Fingerprint finish() {
    XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    XXH3_128bits_reset(state_.get());
    return {hash.low64, hash.high64};
  }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

// A flat open-addressing set: 16 bytes a slot, at most 70 % of them used.
class FingerprintSet {
 public:
  // Whether it was new.
  bool insert(Fingerprint key) {
    if (key == Fingerprint{}) key.high = 1;  // zero marks an empty slot
    if ((size_ + 1) * 10 > slots_.size() * 7) grow();
    bool added = place(key);
    size_ += added ? 1 : 0;
    return added;
  }
  size_t size() const { return size_; }

 private:
  bool place(Fingerprint key) {
    size_t mask = slots_.size() - 1;
    size_t at = key.low & mask;
    while (slots_[at] != Fingerprint{}) {
      if (slots_[at] == key) return false;
      at = (at + 1) & mask;
    }
    slots_[at] = key;
    return true;
  }

  void grow() {
    std::vector<Fingerprint> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Fingerprint& key : old) {
      if (key != Fingerprint{}) place(key);
    }
  }

  size_t size_ = 0;
  std::vector<Fingerprint> slots_ = std::vector<Fingerprint>(1024);
};

}  // namespace lyr::store
