// SPDX-License-Identifier: Apache-2.0
// Indexes come from archives and registries: any bytes must give an index or an error.
#include <cstddef>

#include "image/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* type : {"", "application/vnd.oci.image.index.v1+json",
                           "application/vnd.docker.distribution.manifest.list.v2+json"}) {
    auto index = parse_index(text, type);
    if (!index) continue;
    for (const Descriptor& descriptor : index->manifests) {
      if (descriptor.platform) fits_host(*descriptor.platform);
    }
  }
  (void)check_layout_version(text);
  return 0;
}
