// SPDX-License-Identifier: Apache-2.0
// What an archive will be made of, in order, found out before a byte of it is written. Documents
// come first: who reads the archive from a pipe knows what is in it before the layers pass.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "image/json_text.h"
#include "store/store.h"

namespace lyr::image {

struct StoredImage {
  store::ImageRecord record;
  std::vector<store::LayerRecord> layers;  // as record.diff_ids
  std::vector<std::string> tags;
};

struct ArchiveMember {
  enum class Kind : uint8_t { directory, text, layer_tar, layer_blob } kind = Kind::text;
  std::string path;
  std::string text;
  store::LayerRecord layer;

  uint64_t layer_bytes() const;  // 0: no layer
};

// Members in the order they were added; a path that is there is not added again.
class ArchivePlan {
 public:
  void add_directory(std::string path);
  void add_text(std::string path, std::string text);
  void add_layer_tar(std::string path, const store::LayerRecord& layer);
  void add_layer_blob(std::string path, const store::LayerRecord& layer);  // that is kept
  // Documents, then layers.
  std::vector<ArchiveMember> take();

 private:
  void add(std::vector<ArchiveMember>& to, ArchiveMember member);

  std::set<std::string> paths_;
  std::vector<ArchiveMember> documents_;
  std::vector<ArchiveMember> layers_;
};

// The forms.
ArchivePlan plan_docker_archive(std::span<const StoredImage> images);
ArchivePlan plan_oci_archive(std::span<const StoredImage> images);

// Keys stay as they were added: the same document is the same text.
using OrderedJson = nlohmann::ordered_json;
std::string text_of(const OrderedJson& json);

}  // namespace lyr::image
