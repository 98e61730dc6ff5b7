// SPDX-License-Identifier: Apache-2.0
// Catalogue records as bytes: little-endian integers and length-prefixed strings, in the order of
// the struct. EUCLEAN for bytes that are no such record.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/catalog.h"

namespace lyr::store {

std::string encode(const ImageRecord& record);
std::string encode(const LayerRecord& record);
std::string encode(const PackRecord& record);
Result<ImageRecord> decode_image(std::string_view bytes);
Result<LayerRecord> decode_layer(std::string_view bytes);
Result<PackRecord> decode_pack(std::string_view bytes);
std::string encode(const DroppedFrames& record);
Result<DroppedFrames> decode_dropped(std::string_view bytes);

}  // namespace lyr::store
