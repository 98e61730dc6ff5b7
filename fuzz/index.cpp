// SPDX-License-Identifier: Apache-2.0
// Any bytes give an index or an error; what is read says the same however the document is written
// down, and by whatever type it was come to.
#include <cstddef>
#include <optional>
#include <string>

#include "base/check.h"
#include "fuzz/json_views.h"
#include "fuzz/manifest_views.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr;
  using namespace lyr::image;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  // By no type at all, as a layout's index.json, everything passes that passes by one.
  auto bare = parse_index(text, "");
  for (const char* type : {"application/vnd.oci.image.index.v1+json",
                           "application/vnd.docker.distribution.manifest.list.v2+json"}) {
    auto index = parse_index(text, type);
    if (!index) continue;
    CHECK(bare.has_value() && fuzz::text_of(*bare) == fuzz::text_of(*index));
  }
  if (bare) {
    CHECK(!fuzz::is_ambiguous(text));
    auto again = parse_index(*fuzz::rewritten(text), "");
    CHECK(again.has_value() && fuzz::text_of(*again) == fuzz::text_of(*bare));
  }
  if (check_layout_version(text)) {
    CHECK(!fuzz::is_ambiguous(text));
    CHECK(check_layout_version(*fuzz::rewritten(text)).has_value());
  }
  return 0;
}
