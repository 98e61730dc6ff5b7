// SPDX-License-Identifier: Apache-2.0
// What a disk may hold after a power cut. The model is POSIX's, the weakest there is; what ext4,
// XFS and btrfs leave (names in the order they were made, an fsync that takes all earlier names
// along) is among its outcomes.
//
// - A file's data, length and holes are durable from its fsync or fdatasync on, a write to a
//   descriptor with O_DSYNC at its return, a name from the fsync of its directory on. Nothing else
//   makes anything durable: no fsync of a file its name, no fsync of a directory the files in it.
// - Of the rest any part may be there: of a write any of its sectors of 512 bytes, or only the new
//   length, with zeros; of the changes of one name any first part of them. A rename is one change.
// - Of a file that is mapped for writing any page may be as it was or as it is at the end.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>

#include "tests/store/recording.h"

namespace lyr::store {

// How likely it is that something survives which was not made durable.
struct Survival {
  double data = 0;
  double names = 0;
  // No name that is changed by a later event survives: journals keep the order.
  size_t names_until = SIZE_MAX;
};

class PowerCut {
 public:
  // `recording` outlives it.
  explicit PowerCut(const Recording& recording) : recording_(recording) {}

  // The disk after the first `count` events, of which the last one had not returned yet unless
  // `returned`: written to the empty directory `to`. False: that disk was made before, and nothing
  // was written.
  bool make(size_t count, bool returned, const Survival& survival, std::mt19937_64& random,
            const std::string& to);

 private:
  const Recording& recording_;
  std::set<uint64_t> made_;  // hashes of them
};

}  // namespace lyr::store
