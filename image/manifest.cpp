// SPDX-License-Identifier: Apache-2.0
#include "image/manifest.h"

#include <algorithm>
#include <array>
#include <utility>

#include "image/config.h"
#include "image/json_text.h"

namespace lyr::image {
namespace {

constexpr const char* docker_manifest_type = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* docker_config_type = "application/vnd.docker.container.image.v1+json";

using Row = std::pair<std::string_view, MediaKind>;
constexpr auto media_types = std::to_array<Row>({
    {oci_index_type, MediaKind::index},
    {"application/vnd.docker.distribution.manifest.list.v2+json", MediaKind::index},
    {oci_manifest_type, MediaKind::manifest},
    {docker_manifest_type, MediaKind::manifest},
    {oci_config_type, MediaKind::config},
    {docker_config_type, MediaKind::config},
    {oci_layer_type, MediaKind::layer},
    {"application/vnd.oci.image.layer.v1.tar+gzip", MediaKind::layer},
    {"application/vnd.oci.image.layer.v1.tar+zstd", MediaKind::layer},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar", MediaKind::layer},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MediaKind::layer},
    {"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MediaKind::layer},
    {"application/vnd.docker.image.rootfs.diff.tar", MediaKind::layer},
    {"application/vnd.docker.image.rootfs.diff.tar.gzip", MediaKind::layer},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd", MediaKind::layer},
    {"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MediaKind::layer},
});

#if defined(__x86_64__)
constexpr const char* host_architecture = "amd64";
constexpr const char* host_variant = "v1";
#elif defined(__aarch64__)
constexpr const char* host_architecture = "arm64";
constexpr const char* host_variant = "v8";
#else
#error "name this architecture as Go does (GOARCH)"
#endif

Result<Descriptor> read_descriptor(const Json& json) {
  if (!json.is_object()) return bad_json("a descriptor is not an object");
  Descriptor descriptor;
  descriptor.media_type = TRY(text_field(json, "mediaType"));
  descriptor.digest = TRY(digest_field(json, "digest"));
  descriptor.size = TRY(size_field(json, "size"));
  descriptor.artifact_type = TRY(text_field(json, "artifactType"));
  descriptor.annotations = TRY(text_map_field(json, "annotations"));
  const Json* platform = TRY(object_field(json, "platform"));
  if (platform != nullptr) {
    Platform said;
    said.os = TRY(text_field(*platform, "os"));
    said.architecture = TRY(text_field(*platform, "architecture"));
    said.variant = TRY(text_field(*platform, "variant"));
    descriptor.platform = std::move(said);
  }
  return descriptor;
}

Result<std::vector<Descriptor>> read_descriptors(const Json& json, const char* key, size_t most) {
  std::vector<Descriptor> descriptors;
  const Json* array = TRY(array_field(json, key));
  if (array == nullptr) return bad_json(std::string("has no ") + key);
  if (array->size() > most) return bad_json(std::string("has too many ") + key);
  for (const Json& item : *array) {
    auto descriptor = TRY(read_descriptor(item));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

// `foreign`: keys only the other kind of document has.
Result<Json> read_document(std::string_view text, std::string_view media_type, const char* what,
                           std::initializer_list<const char*> foreign) {
  Json json = TRY(parse_json(text, what));
  if (!json.is_object()) return bad_json(std::string(what) + " is not an object");
  uint64_t version = TRY(size_field(json, "schemaVersion"));
  if (version != 2) return bad_json(std::string(what) + " has a schemaVersion that is not 2");
  std::string said = TRY(text_field(json, "mediaType"));
  if (!said.empty() && !media_type.empty() && said != media_type) {
    return bad_json(std::string(what) + " says it is " + said.substr(0, 100) +
                    ", what leads to it says " + std::string(media_type.substr(0, 100)));
  }
  for (const char* key : foreign) {
    if (json.contains(key)) {
      return bad_json(std::string(what) + " has '" + key + "', which is for another document");
    }
  }
  return json;
}

}  // namespace

MediaKind media_kind(std::string_view media_type) {
  const auto* row = std::ranges::find(media_types, media_type, &Row::first);
  return row == media_types.end() ? MediaKind::unknown : row->second;
}

std::string Platform::text() const {
  std::string text = os + "/" + architecture;
  return variant.empty() ? text : text + "/" + variant;
}

Platform host_platform() {
  return {.os = "linux", .architecture = host_architecture, .variant = ""};
}

bool fits_host(const Platform& platform) {
  return platform.os == "linux" && platform.architecture == host_architecture &&
         (platform.variant.empty() || platform.variant == host_variant);
}

Result<Manifest> parse_manifest(std::string_view text, std::string_view media_type) {
  if (media_kind(media_type) != MediaKind::manifest) {
    return bad_json("'" + std::string(media_type.substr(0, 100)) + "' is no manifest's type");
  }
  Json json = TRY(read_document(text, media_type, "manifest", {"manifests", "fsLayers"}));
  Manifest manifest;
  const Json* config = TRY(object_field(json, "config"));
  if (config == nullptr) return bad_json("manifest has no config");
  manifest.config = TRY(read_descriptor(*config));
  if (media_kind(manifest.config.media_type) != MediaKind::config) {
    return bad_json("its config is '" + manifest.config.media_type.substr(0, 100) +
                    "': not an image that can run");
  }
  manifest.layers = TRY(read_descriptors(json, "layers", image_layers_max));
  for (const Descriptor& layer : manifest.layers) {
    if (media_kind(layer.media_type) != MediaKind::layer) {
      return bad_json("layer " + layer.digest.text() + " is '" + layer.media_type.substr(0, 100) +
                      "': not a layer type lyr knows");
    }
  }
  return manifest;
}

Result<std::string> manifest_media_type(std::string_view text) {
  Json json = TRY(parse_json(text, "manifest"));
  if (!json.is_object()) return bad_json("manifest is not an object");
  std::string said = TRY(text_field(json, "mediaType"));
  if (!said.empty()) return said;
  const Json* config = TRY(object_field(json, "config"));
  if (config == nullptr) return bad_json("manifest has no config");
  std::string type = TRY(text_field(*config, "mediaType"));
  return std::string(type == docker_config_type ? docker_manifest_type : oci_manifest_type);
}

Result<Index> parse_index(std::string_view text, std::string_view media_type) {
  if (!media_type.empty() && media_kind(media_type) != MediaKind::index) {
    return bad_json("'" + std::string(media_type.substr(0, 100)) + "' is no index's type");
  }
  Json json = TRY(read_document(text, media_type, "index", {"config", "layers", "fsLayers"}));
  std::string said = TRY(text_field(json, "mediaType"));
  if (!said.empty() && media_kind(said) != MediaKind::index) {
    return bad_json("index says it is '" + said.substr(0, 100) + "'");
  }
  Index index;
  index.manifests = TRY(read_descriptors(json, "manifests", index_manifests_max));
  return index;
}

std::string blob_file(const Digest& digest) { return "blobs/sha256/" + digest.hex(); }

Result<> check_layout_version(std::string_view text) {
  Json json = TRY(parse_json(text, "oci-layout"));
  std::string version = TRY(text_field(json, "imageLayoutVersion"));
  if (version.starts_with("1.")) return {};
  return fail(EPROTONOSUPPORT, "oci-layout", "version '" + version.substr(0, 40) + "'");
}

Result<std::vector<SavedImage>> parse_saved_images(std::string_view text) {
  Json json = TRY(parse_json(text, "manifest.json"));
  if (!json.is_array()) return bad_json("manifest.json is not an array");
  if (json.size() > index_manifests_max) return bad_json("manifest.json has too many images");
  std::vector<SavedImage> images;
  for (const Json& item : json) {
    if (!item.is_object()) return bad_json("manifest.json holds something that is no image");
    SavedImage image;
    image.config = TRY(text_field(item, "Config"));
    image.layers = TRY(texts_field(item, "Layers"));
    image.repo_tags = TRY(texts_field(item, "RepoTags"));
    if (image.config.empty()) return bad_json("manifest.json has an image without a config");
    if (image.layers.size() > image_layers_max) return bad_json("an image has too many layers");
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace lyr::image
