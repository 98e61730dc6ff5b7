// SPDX-License-Identifier: Apache-2.0
// Any bytes are a catalogue record or are refused; what is taken is written as the same bytes
// again.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/catalog_record.h"

using namespace lyr::store;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (auto image = decode_image(bytes)) CHECK(encode(*image) == bytes);
  if (auto pack = decode_pack(bytes)) CHECK(encode(*pack) == bytes);
  if (auto layer = decode_layer(bytes)) CHECK(encode(*layer) == bytes);
  if (auto dropped = decode_dropped(bytes)) CHECK(encode(*dropped) == bytes);
  return 0;
}
