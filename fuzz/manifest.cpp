// SPDX-License-Identifier: Apache-2.0
// No document may pass for a manifest and for anything else (CVE-2021-41190); what is read says
// the same however the document is written down.
#include "image/manifest.h"

#include <cstddef>
#include <string>

#include "base/check.h"
#include "fuzz/json_views.h"
#include "fuzz/manifest_views.h"
#include "image/config.h"

namespace {

using namespace lyr;
using namespace lyr::image;

constexpr const char* oci_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* docker_type = "application/vnd.docker.distribution.manifest.v2+json";

void check_saved(std::string_view text) {
  auto saved = parse_saved_images(text);
  if (!saved) return;
  CHECK(!fuzz::is_ambiguous(text));
  auto again = parse_saved_images(*fuzz::rewritten(text));
  CHECK(again.has_value() && again->size() == saved->size());
  for (size_t i = 0; i < saved->size(); ++i) {
    const SavedImage& image = (*saved)[i];
    CHECK(!image.config.empty() && image.config == (*again)[i].config);
    CHECK(image.layers.size() <= image_layers_max && image.layers == (*again)[i].layers);
    CHECK(image.repo_tags == (*again)[i].repo_tags);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto index = parse_index(text, "");
  auto saved = parse_saved_images(text);
  CHECK(!index || !saved);
  bool says_type = false;
  for (const char* type : {oci_type, docker_type}) {
    auto manifest = parse_manifest(text, type);
    if (!manifest) continue;
    CHECK(!index && !saved && !fuzz::is_ambiguous(text));
    CHECK(manifest->layers.size() <= image_layers_max);
    auto again = parse_manifest(*fuzz::rewritten(text), type);
    CHECK(again.has_value() && fuzz::text_of(*again) == fuzz::text_of(*manifest));
    // One that says what it is cannot be the other.
    auto json = nlohmann::json::parse(text);
    bool says =
        json.contains("mediaType") && json["mediaType"].is_string() && json["mediaType"] != "";
    CHECK(!says || (json["mediaType"] == type && !says_type));
    says_type = says;
  }
  check_saved(text);
  return 0;
}
