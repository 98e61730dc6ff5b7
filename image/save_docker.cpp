// SPDX-License-Identifier: Apache-2.0
// docker save's archive, as docker 1.10 and later load it: manifest.json names each image's config
// and layers by file; `repositories` leads from names to top layers, for what still asks it.
#include "image/archive_plan.h"

namespace lyr::image {
namespace {

std::string config_file(const StoredImage& image) { return image.record.id.hex() + ".json"; }
std::string layer_file(const Digest& diff_id) { return diff_id.hex() + ".tar"; }

OrderedJson entry_of(const StoredImage& image) {
  OrderedJson tags = OrderedJson::array();
  OrderedJson layers = OrderedJson::array();
  // With their registries: podman would take docker's short form for an image of its own.
  for (const std::string& tag : image.tags) tags.push_back(tag);
  for (const Digest& diff_id : image.record.diff_ids) layers.push_back(layer_file(diff_id));
  OrderedJson entry;
  entry["Config"] = config_file(image);
  entry["RepoTags"] = std::move(tags);
  entry["Layers"] = std::move(layers);
  return entry;
}

void add_names(const StoredImage& image, OrderedJson& repositories) {
  if (image.record.diff_ids.empty()) return;
  for (const std::string& tag : image.tags) {
    size_t colon = tag.rfind(':');
    repositories[tag.substr(0, colon)][tag.substr(colon + 1)] = image.record.diff_ids.back().hex();
  }
}

}  // namespace

ArchivePlan plan_docker_archive(std::span<const StoredImage> images) {
  ArchivePlan plan;
  OrderedJson manifest = OrderedJson::array();
  OrderedJson repositories = OrderedJson::object();
  for (const StoredImage& image : images) {
    manifest.push_back(entry_of(image));
    add_names(image, repositories);
  }
  plan.add_text("manifest.json", text_of(manifest));
  if (!repositories.empty()) plan.add_text("repositories", text_of(repositories));
  for (const StoredImage& image : images) {
    plan.add_text(config_file(image), image.record.config_json);
    for (const store::LayerRecord& layer : image.layers) {
      plan.add_layer_tar(layer_file(layer.diff_id), layer);
    }
  }
  return plan;
}

}  // namespace lyr::image
