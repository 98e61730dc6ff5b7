// SPDX-License-Identifier: Apache-2.0
// One layer's tar into the store: content as objects, names into the layer's tree, every other byte
// into its recipe, by the rules of image-spec layer.md.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "image/byte_stream.h"
#include "store/store.h"

namespace lyr::image {

struct LayerTotals {
  uint64_t tar_bytes = 0;
  uint64_t content_bytes = 0;  // of files, holes included
  uint32_t entries = 0;
};

// What a tar may put into a recipe as headers, padding and trailing zeros: memory, unlike content.
constexpr uint64_t inline_bytes_max = uint64_t{1} << 30;

// Reads `tar` to its end. EBADMSG names the entry.
Result<LayerTotals> apply_layer(ByteSource& tar, store::LayerImport& layer);

}  // namespace lyr::image
