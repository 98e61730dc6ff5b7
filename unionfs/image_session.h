// SPDX-License-Identifier: Apache-2.0
// An image's tree alone as a read-only FUSE file system: what kernel overlayfs stands on where it
// may be mounted. The server keeps no state: a node is the tree's inode, in this process and in any
// that comes after it.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"
#include "unionfs/ids.h"
#include "unionfs/unionfs.h"

namespace lyr::unionfs {

struct ImageOptions {
  const store::Store& store;  // both outlive serve_image()
  const store::Tree& tree;
  Ids ids;                    // on disk: as the image says; shown: to the mount's namespace
  MappedIds mapped_ids = {};  // those of the mount's namespace
  // That new files of the upper's file system have without being given any, FS_*_FL: who sets a
  // flag gives overlayfs all flags that it was told of, and none it was not.
  uint32_t file_flags = 0;
  int threads = 1;                  // that read requests; 1..64
  RequestCounts* counts = nullptr;  // as in Options
  Ledger* ledger = nullptr;         // as in Options
};

// Serves a FUSE connection as serve() does. Blocks.
Result<> serve_image(Fd fuse_device, const ImageOptions& options);

// Gives a new, empty upper directory what makes it the image's root: owner, mode and time. One that
// has been dressed is left alone. `trusted_xattrs`: as in Options; `ids`: as in ImageOptions, shown
// are ours.
Result<> dress_upper(const Fd& upper, const store::Tree& tree, bool trusted_xattrs,
                     const Ids& ids = Ids());

}  // namespace lyr::unionfs
