// SPDX-License-Identifier: Apache-2.0
// An OCI layout (image-spec image-layout.md) in a tar. An image's manifest is the one it came with
// whenever every blob that names can be given; else one made here, of the blobs that are kept and
// of plain tars where none is.
#include <optional>

#include "image/archive_plan.h"
#include "image/manifest.h"

namespace lyr::image {
namespace {

OrderedJson descriptor(std::string_view media_type, const Digest& digest, uint64_t bytes) {
  OrderedJson json;
  json["mediaType"] = media_type;
  json["digest"] = digest.text();
  json["size"] = bytes;
  return json;
}

// Whether the manifest names the layer's kept blob, or its tar.
bool names_blob(const Descriptor& named, const store::LayerRecord& layer) {
  return layer.blob_kept && named.digest == layer.blob_digest && named.size == layer.blob_bytes;
}
bool names_tar(const Descriptor& named, const store::LayerRecord& layer) {
  return named.digest == layer.diff_id && named.size == layer.tar_bytes;
}

// The image-spec's type for a blob, which docker may have named in its own way.
std::string blob_type(const store::LayerRecord& layer) {
  for (const char* compression : {"gzip", "zstd"}) {
    if (!layer.blob_media_type.ends_with(compression)) continue;
    return std::string(oci_layer_type) + "+" + compression;
  }
  return oci_layer_type;
}

// How an image stands in the layout.
struct Chosen {
  std::string manifest;
  std::string manifest_type;
  std::vector<bool> as_blob;  // each layer: its kept blob, not its tar
};

// With the manifest the image came with, when that can be used as it is.
std::optional<Chosen> choose_exact(const StoredImage& image) {
  Chosen chosen;
  chosen.manifest = image.record.manifest_json;
  if (chosen.manifest.empty()) return std::nullopt;
  auto type = manifest_media_type(chosen.manifest);
  if (!type) return std::nullopt;
  chosen.manifest_type = *type;
  auto manifest = parse_manifest(chosen.manifest, *type);
  if (!manifest || manifest->config.digest != image.record.id) return std::nullopt;
  if (manifest->config.size != image.record.config_json.size()) return std::nullopt;
  if (manifest->layers.size() != image.layers.size()) return std::nullopt;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    bool blob = names_blob(manifest->layers[i], image.layers[i]);
    if (!blob && !names_tar(manifest->layers[i], image.layers[i])) return std::nullopt;
    chosen.as_blob.push_back(blob);
  }
  return chosen;
}

Chosen choose(const StoredImage& image) {
  auto exact = choose_exact(image);
  if (exact) return std::move(*exact);
  Chosen chosen;
  OrderedJson layers = OrderedJson::array();
  for (const store::LayerRecord& layer : image.layers) {
    chosen.as_blob.push_back(layer.blob_kept);
    layers.push_back(layer.blob_kept
                         ? descriptor(blob_type(layer), layer.blob_digest, layer.blob_bytes)
                         : descriptor(oci_layer_type, layer.diff_id, layer.tar_bytes));
  }
  OrderedJson json;
  json["schemaVersion"] = 2;
  json["mediaType"] = oci_manifest_type;
  json["config"] = descriptor(oci_config_type, image.record.id, image.record.config_json.size());
  json["layers"] = std::move(layers);
  chosen.manifest = text_of(json);
  chosen.manifest_type = oci_manifest_type;
  return chosen;
}

// One descriptor for each name, for readers take one name from each.
void add_to_index(OrderedJson& index, const OrderedJson& manifest, const StoredImage& image) {
  if (image.tags.empty()) index.push_back(manifest);
  for (const std::string& tag : image.tags) {
    OrderedJson named = manifest;
    named["annotations"][containerd_name_annotation] = tag;
    named["annotations"][ref_name_annotation] = tag;
    index.push_back(std::move(named));
  }
}

void add_blobs(ArchivePlan& plan, const StoredImage& image, const Chosen& chosen) {
  plan.add_text(blob_file(Digest::of(chosen.manifest)), chosen.manifest);
  plan.add_text(blob_file(image.record.id), image.record.config_json);
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const store::LayerRecord& layer = image.layers[i];
    if (chosen.as_blob[i]) {
      plan.add_layer_blob(blob_file(layer.blob_digest), layer);
    } else {
      plan.add_layer_tar(blob_file(layer.diff_id), layer);
    }
  }
}

}  // namespace

ArchivePlan plan_oci_archive(std::span<const StoredImage> images) {
  OrderedJson manifests = OrderedJson::array();
  std::vector<Chosen> all;
  for (const StoredImage& image : images) {
    all.push_back(choose(image));
    const Chosen& chosen = all.back();
    Digest digest = Digest::of(chosen.manifest);
    add_to_index(manifests, descriptor(chosen.manifest_type, digest, chosen.manifest.size()),
                 image);
  }
  OrderedJson index;
  index["schemaVersion"] = 2;
  index["mediaType"] = oci_index_type;
  index["manifests"] = std::move(manifests);

  ArchivePlan plan;
  plan.add_text("oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  plan.add_text("index.json", text_of(index));
  plan.add_directory("blobs/");
  plan.add_directory("blobs/sha256/");
  for (size_t i = 0; i < images.size(); ++i) add_blobs(plan, images[i], all[i]);
  return plan;
}

}  // namespace lyr::image
