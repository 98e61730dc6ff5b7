// SPDX-License-Identifier: Apache-2.0
// What is to be imported from an archive or layout, found out before anything is: every small
// document is read and verified here, every layer is named with what it must turn out to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "image/blob_source.h"
#include "image/config.h"

namespace lyr::image {

constexpr size_t planned_images_max = 4096;
constexpr int index_depth_max = 4;

struct PlannedLayer {
  std::string file;
  Digest diff_id;
  std::optional<Digest> digest;  // of the file as it is, where a manifest says it
  uint64_t bytes = 0;            // of the file, where a manifest says it
  std::string media_type;
};

struct PlannedImage {
  Digest id;
  Config config;
  std::string config_json;
  std::string manifest_json;  // empty when the archive has none
  std::vector<PlannedLayer> layers;
  std::vector<std::string> tags;  // canonical, sorted, no duplicates
};

using Plan = std::vector<PlannedImage>;  // no id twice

// Whatever `source` is: an OCI layout, docker save's archive, or both at once.
// `default_repository`: what a bare tag ("latest") belongs to; empty: it names nothing.
Result<Plan> make_plan(const BlobSource& source, std::string_view default_repository);

// The forms; each adds to `plan`.
Result<> plan_layout(const BlobSource& source, std::string_view default_repository, Plan& plan);
Result<> plan_saved(const BlobSource& source, Plan& plan);

// Adds an image, or only its tags when its id is there.
Result<> add_image(Plan& plan, PlannedImage image);
void add_tag(PlannedImage& image, std::string tag);
// The canonical tag that `name` stands for; nothing when it is no name, or names a digest only.
std::optional<std::string> tag_name(std::string_view name);

}  // namespace lyr::image
