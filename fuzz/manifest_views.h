// SPDX-License-Identifier: Apache-2.0
// What a manifest or an index says, as text to compare, with what must hold of each part.
#pragma once

#include <string>

#include "base/check.h"
#include "image/manifest.h"

namespace lyr::fuzz {

inline std::string text_of(const image::Descriptor& descriptor) {
  auto digest = Digest::parse(descriptor.digest.text());
  CHECK(digest.has_value() && *digest == descriptor.digest);
  CHECK(descriptor.size <= uint64_t{INT64_MAX});
  std::string text = descriptor.media_type + '\0' + descriptor.artifact_type + '\0' +
                     descriptor.digest.text() + std::to_string(descriptor.size);
  if (descriptor.platform) {
    const image::Platform& platform = *descriptor.platform;
    text += " for " + platform.os + '\0' + platform.architecture + '\0' + platform.variant;
    if (image::fits_host(platform)) {
      CHECK(platform.text().starts_with(image::host_platform().text()));
    }
  }
  for (const auto& [key, value] : descriptor.annotations) text += '\1' + key + '\0' + value;
  return text + '\n';
}

inline std::string text_of(const image::Manifest& manifest) {
  CHECK(image::media_kind(manifest.config.media_type) == image::MediaKind::config);
  std::string text = text_of(manifest.config);
  for (const image::Descriptor& layer : manifest.layers) {
    CHECK(image::media_kind(layer.media_type) == image::MediaKind::layer);
    text += text_of(layer);
  }
  return text;
}

inline std::string text_of(const image::Index& index) {
  CHECK(index.manifests.size() <= image::index_manifests_max);
  std::string text;
  for (const image::Descriptor& descriptor : index.manifests) text += text_of(descriptor);
  return text;
}

}  // namespace lyr::fuzz
