// SPDX-License-Identifier: Apache-2.0
#include "store/object.h"

#include <xxhash.h>

namespace lyr::store {

ObjectId ObjectId::of(std::span<const std::byte> data) {
  XXH128_hash_t key = XXH3_128bits(data.data(), data.size());
  return {.sha256 = Digest::of(data), .xxh3_low = key.low64, .xxh3_high = key.high64};
}

}  // namespace lyr::store
