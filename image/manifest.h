// SPDX-License-Identifier: Apache-2.0
// Manifests, indexes and descriptors (image-spec manifest.md, image-index.md, descriptor.md, and
// docker's schema 2 twins). One document has one reading: what could pass for a manifest and an
// index at once is refused (CVE-2021-41190).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace lyr::image {

constexpr size_t index_manifests_max = 4096;

constexpr const char* oci_index_type = "application/vnd.oci.image.index.v1+json";
constexpr const char* oci_manifest_type = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* oci_config_type = "application/vnd.oci.image.config.v1+json";
constexpr const char* oci_layer_type = "application/vnd.oci.image.layer.v1.tar";

enum class MediaKind : uint8_t { unknown, index, manifest, config, layer };
MediaKind media_kind(std::string_view media_type);

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string text() const;  // "linux/arm64/v8"
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::string artifact_type;
  std::optional<Platform> platform;
  std::map<std::string, std::string> annotations;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;
};

// The annotations of descriptors in a layout's index that name an image: containerd's with the
// whole name; the image-spec's with a tag alone, or (podman) the whole name, too.
constexpr const char* containerd_name_annotation = "io.containerd.image.name";
constexpr const char* ref_name_annotation = "org.opencontainers.image.ref.name";

struct Index {
  std::vector<Descriptor> manifests;
};

// `media_type`: what the descriptor that led here says it is; empty for a layout's index.json.
// EBADMSG with the reason as the subject.
Result<Manifest> parse_manifest(std::string_view text, std::string_view media_type);
// What a manifest is that nothing led to: its own mediaType, or what its config's type implies.
Result<std::string> manifest_media_type(std::string_view text);
Result<Index> parse_index(std::string_view text, std::string_view media_type);
// Where a layout keeps a blob, from the layout's directory.
std::string blob_file(const Digest& digest);

// The oci-layout file: EPROTONOSUPPORT for a version this reader does not know.
Result<> check_layout_version(std::string_view text);

// Whether an image for `platform` runs on this host.
bool fits_host(const Platform& platform);
Platform host_platform();

// docker save's manifest.json.
struct SavedImage {
  std::string config;  // file names in the archive
  std::vector<std::string> layers;
  std::vector<std::string> repo_tags;
};
Result<std::vector<SavedImage>> parse_saved_images(std::string_view text);

}  // namespace lyr::image
