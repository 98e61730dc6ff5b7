// SPDX-License-Identifier: Apache-2.0
// Where a store's bytes are: what each image has to itself and what it shares, how much of the
// packs is content, and what everything else takes. All numbers are exact, of one moment of the
// catalogue. Store::stats() fails with ENOENT when a file that the catalogue names is gone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace lyr::store {

struct ImageStats {
  Digest id;
  std::vector<std::string> tags;  // canonical, sorted
  uint64_t tar_bytes = 0;         // of its layers, as they were loaded
  uint64_t content_bytes = 0;     // of the files a container sees
  uint64_t object_bytes = 0;      // of the objects of its layers, each counted once
  uint64_t unique_bytes = 0;      // of these, what no other image has
  uint64_t shared_bytes = 0;      // and what others have, too
  uint64_t hole_bytes = 0;        // runs of zeros in its layers' files, which take no space
};

struct ObjectStats {
  uint64_t count = 0;
  uint64_t raw_bytes = 0;
  uint64_t stored_bytes = 0;  // without frame headers
};

struct StoreStats {
  std::vector<ImageStats> images;  // newest first
  uint64_t layers = 0;
  uint64_t image_tar_bytes = 0;  // each image with all its layers: what it would be by itself
  uint64_t layer_tar_bytes = 0;  // each layer once

  uint64_t references = 0;  // to objects, by all layers
  ObjectStats hot;          // live objects that are stored as they are
  ObjectStats cold;         // live objects that are stored compressed
  // Objects that a layer needs and no pack lists: 0, unless the store is damaged.
  uint64_t missing = 0;

  uint64_t packs = 0;
  uint64_t pack_bytes = 0;       // their lengths
  uint64_t pack_disk_bytes = 0;  // what the file system gave them: less, where holes were punched
  ObjectStats dead;              // frames that no layer needs, and second copies
  uint64_t dropped_bytes = 0;    // of frames that were given up: mostly holes by now
  uint64_t overhead_bytes = 0;   // the rest of pack_bytes: headers, padding, footers

  uint64_t recipe_bytes = 0;
  uint64_t tree_bytes = 0;
  uint64_t catalogue_bytes = 0;
  uint64_t index_bytes = 0;
  uint64_t blob_bytes = 0;      // layers' blobs that are kept as they came
  uint64_t hot_files = 0;       // copies of whole files, for copy-up
  uint64_t hot_file_bytes = 0;  // as du counts: what they share with containers is not seen

  uint64_t object_count() const { return hot.count + cold.count; }
  uint64_t object_bytes() const { return hot.raw_bytes + cold.raw_bytes; }
  uint64_t stored_bytes() const { return hot.stored_bytes + cold.stored_bytes; }
  // Of the packs' disk space, what is no content.
  uint64_t waste_bytes() const {
    return pack_disk_bytes > stored_bytes() ? pack_disk_bytes - stored_bytes() : 0;
  }
  uint64_t metadata_bytes() const { return recipe_bytes + tree_bytes + catalogue_bytes; }
};

}  // namespace lyr::store
