// SPDX-License-Identifier: Apache-2.0
// Loads images from what other tools save: docker-archive and oci-archive streams, OCI layout
// directories. Every blob digest and diffID is verified; when anything fails nothing is kept.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"

namespace lyr::image {

struct Loaded {
  Digest id;
  std::vector<std::string> tags;  // canonical names; empty: loaded by id only
};

// Called now and then with the bytes of input read so far and the total (0: unknown). From any
// thread.
using Progress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

// `archive`: a file, or a pipe (then spooled into an unnamed file of the store's directory where a
// seek is needed). The archive itself may be gzip- or zstd-compressed. `default_repository`: what
// an image belongs to that the archive gives only a tag ("latest"): best the file's own name;
// empty: such an image gets no name. EBADMSG names the blob or entry that is wrong.
Result<std::vector<Loaded>> load_archive(store::Store& store, Fd archive, const Progress& progress,
                                         std::string_view default_repository = "");

// `directory`: an OCI image layout (image-spec image-layout.md).
Result<std::vector<Loaded>> load_layout(store::Store& store, const Fd& directory,
                                        const Progress& progress,
                                        std::string_view default_repository = "");

}  // namespace lyr::image
