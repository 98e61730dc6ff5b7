// SPDX-License-Identifier: Apache-2.0
// Loads images from what other tools save: docker-archive and oci-archive streams, OCI layout
// directories. Every blob digest and diffID is verified; when anything fails nothing is kept.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "image/progress.h"
#include "store/store.h"

namespace lyr::image {

struct Loaded {
  Digest id;
  std::vector<std::string> tags;  // canonical names; empty: loaded by id only
};

struct LoadOptions {
  // What an image belongs to that the archive gives only a tag ("latest"): best the file's own
  // name; empty: such an image gets no name.
  std::string_view default_repository = "";
  // Compressed layers stay in the store as they came, too, so that save and push can give them
  // again. Each holds a descriptor until the load ends.
  bool keep_blobs = false;
};

// `archive`: a file, or a pipe (then spooled into an unnamed file of the store's directory where a
// seek is needed). The archive itself may be gzip- or zstd-compressed. EBADMSG names the blob or
// entry that is wrong.
Result<std::vector<Loaded>> load_archive(store::Store& store, Fd archive, const Progress& progress,
                                         const LoadOptions& options = {});

// `directory`: an OCI image layout (image-spec image-layout.md).
Result<std::vector<Loaded>> load_layout(store::Store& store, const Fd& directory,
                                        const Progress& progress, const LoadOptions& options = {});

}  // namespace lyr::image
