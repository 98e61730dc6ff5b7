// SPDX-License-Identifier: Apache-2.0
// Writes images as one archive that other tools load: docker save's form, or an OCI layout in a
// tar. Every layer comes out byte for byte as it came in; the same images give the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "image/progress.h"
#include "store/store.h"

namespace lyr::image {

enum class ArchiveFormat : uint8_t { docker, oci };

struct ImageToSave {
  Digest id;
  std::vector<std::string> tags;  // canonical; empty: it goes without a name
};

// Gives the archive to `sink` in large pieces. A layer that several images have is written once.
// Layers pass through; documents (manifests, configs) are held in memory. `images`: no id twice.
// ENOENT: no such image. EIO names a layer that cannot be given as it was; what `sink` says ends
// it, too. Then what the sink has got is of no use.
Result<> save_images(const store::Store& store, std::span<const ImageToSave> images,
                     ArchiveFormat format, const store::ByteSink& sink, const Progress& progress);

}  // namespace lyr::image
