// SPDX-License-Identifier: Apache-2.0
// docker save's archive: manifest.json names configs and layers by file. A file whose name is a
// digest must match it; the layers are pinned by the config's diff ids either way.
#include <algorithm>

#include "image/json_text.h"
#include "image/manifest.h"
#include "image/plan.h"

namespace lyr::image {
namespace {

// The digest that "blobs/sha256/HEX", "HEX.json" or "HEX" promises.
std::optional<Digest> promised_digest(std::string_view file) {
  size_t slash = file.rfind('/');
  if (slash != std::string_view::npos) file.remove_prefix(slash + 1);
  if (file.ends_with(".json")) file.remove_suffix(5);
  auto digest = Digest::parse_hex(file);
  if (!digest) return std::nullopt;
  return *digest;
}

Result<PlannedImage> plan_image(const BlobSource& source, const SavedImage& saved) {
  PlannedImage image;
  auto file = normal_name(saved.config);
  if (!file) return bad_json("manifest.json: config '" + saved.config + "' leaves the archive");
  image.config_json = TRY(read_text(source, *file, json_bytes_max));
  image.id = Digest::of(image.config_json);
  auto promised = promised_digest(*file);
  if (promised && *promised != image.id) {
    return bad_json("config " + *file + " does not match its digest (damaged)");
  }
  auto config = parse_config(image.config_json);
  if (!config) return bad_json(*file + ": " + *config.error().subject);
  image.config = std::move(*config);
  if (image.config.diff_ids.size() != saved.layers.size()) {
    return bad_json("manifest.json has " + std::to_string(saved.layers.size()) + " layers for " +
                    *file + ", which has " + std::to_string(image.config.diff_ids.size()));
  }
  for (size_t i = 0; i < saved.layers.size(); ++i) {
    PlannedLayer layer;
    auto name = normal_name(saved.layers[i]);
    if (!name) return bad_json("layer '" + saved.layers[i] + "' leaves the archive");
    layer.file = *name;
    layer.diff_id = image.config.diff_ids[i];
    // Only new archives name layers by the digest of the file; old ones by an id of their own.
    if (name->starts_with("blobs/sha256/")) layer.digest = promised_digest(*name);
    image.layers.push_back(std::move(layer));
  }
  return image;
}

}  // namespace

Result<> plan_saved(const BlobSource& source, Plan& plan) {
  std::string text = TRY(read_text(source, "manifest.json", json_bytes_max));
  auto saved = TRY(parse_saved_images(text));
  for (const SavedImage& entry : saved) {
    // What the layout brought already, with its manifest, only gets its tags here.
    auto promised = promised_digest(entry.config);
    auto known = promised ? std::ranges::find(plan, *promised, &PlannedImage::id) : plan.end();
    PlannedImage image;
    if (known == plan.end()) {
      image = TRY(plan_image(source, entry));
    } else {
      image.id = known->id;
    }
    for (const std::string& name : entry.repo_tags) {
      auto tag = tag_name(name);
      if (!tag) return bad_json("manifest.json: '" + name.substr(0, 300) + "' is not a tag");
      add_tag(image, std::move(*tag));
    }
    TRY(add_image(plan, std::move(image)));
  }
  return {};
}

}  // namespace lyr::image
