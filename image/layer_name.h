// SPDX-License-Identifier: Apache-2.0
// What a name means in a layer: an entry, or a sign about lower layers (image-spec layer.md,
// "Whiteouts").
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lyr::image {

struct LayerName {
  enum class Kind : uint8_t { entry, whiteout, opaque, ignored } kind = Kind::entry;
  std::string path;  // the entry, what is hidden, or the directory that hides
};

// EBADMSG for a name that can mean nothing: ".wh." alone, or a whiteout as a directory.
Result<LayerName> classify(std::string_view path);

}  // namespace lyr::image
