// SPDX-License-Identifier: Apache-2.0
// Whether frames are whole and hold the objects that they say. SHA-256 takes most of the time, and
// two at once take that of one (base/paired_sha256.h).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/paired_sha256.h"
#include "store/pack.h"

namespace lyr::store {

// Not thread-safe; one a thread.
class FrameCheck {
 public:
  FrameCheck();

  // `frame` has the length that `entry` says. Both stay where they are until take_bad().
  void add(std::span<const std::byte> frame, const PackFooterEntry& entry);
  // For a frame that could not be read.
  void add_unread(const PackFooterEntry& entry) { bad_.push_back(&entry); }
  // Those that are damaged, of all that were added since the last call.
  std::vector<const PackFooterEntry*> take_bad();

 private:
  // The object, if all but its SHA-256 is right.
  std::span<const std::byte> object_of(std::span<const std::byte> frame,
                                       const PackFooterEntry& entry, bool& right);

  std::unique_ptr<std::byte[]> unpacked_;  // of one compressed frame
  PairedSha256 hasher_;
  std::vector<std::span<const std::byte>> objects_;  // whose SHA-256 is yet to be compared
  std::vector<Digest> digests_;
  struct Claim {
    Digest sha256;
    const PackFooterEntry* entry;
  };
  std::vector<Claim> claims_;  // of each of objects_
  std::vector<const PackFooterEntry*> bad_;
};

}  // namespace lyr::store
