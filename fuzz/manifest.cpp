// SPDX-License-Identifier: Apache-2.0
// No document may pass for a manifest and for an index (CVE-2021-41190).
#include "image/manifest.h"

#include <cstddef>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto manifest = parse_manifest(text, "application/vnd.oci.image.manifest.v1+json");
  auto index = parse_index(text, "");
  CHECK(!manifest || !index);
  (void)parse_manifest(text, "application/vnd.docker.distribution.manifest.v2+json");
  (void)parse_saved_images(text);
  return 0;
}
