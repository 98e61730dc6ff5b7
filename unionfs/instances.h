// SPDX-License-Identifier: Apache-2.0
// Which instance of each of an image's inodes the kernel has. overlayfs stores the file handle of
// what it copies up, and the kernel follows one only to an inode that it knows (we serve no
// FUSE_EXPORT_SUPPORT). Were an inode that it had forgotten found again by an old handle, a file
// with two names could be two inodes of overlayfs's: one made while the handle led nowhere, one
// after that, each with a size of its own. So each instance has a generation that none before it
// had, of this mount or another, and an old handle is never followed again.
#pragma once

#include <cstdint>
#include <mutex>

#include "unionfs/ledger.h"

namespace lyr::unionfs {

// Thread-safe. Counts more than the kernel has when an answer was lost with its server: then the
// next instance is taken for the same.
class Instances {
 public:
  // What the ledger has of those that a server before counted, stays.
  explicit Instances(Ledger& ledger) : ledger_(ledger) {}

  // The kernel is about to be told of it once more. Its generation.
  uint32_t looked_up(store::Ino ino);
  // It was told so `lookups` times, and needs them no more.
  void forgotten(store::Ino ino, uint64_t lookups);

 private:
  std::mutex mutex_;  // guards the ledger
  Ledger& ledger_;
};

}  // namespace lyr::unionfs
