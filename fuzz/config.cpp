// SPDX-License-Identifier: Apache-2.0
// Image configs come from archives and registries: any bytes must give a config or an error.
#include "image/config.h"

#include <cstddef>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto config = lyr::image::parse_config({reinterpret_cast<const char*>(data), size});
  if (config) lyr::image::created_unix(*config);
  return 0;
}
