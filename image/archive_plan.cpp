// SPDX-License-Identifier: Apache-2.0
#include "image/archive_plan.h"

#include <iterator>

namespace lyr::image {

using Kind = ArchiveMember::Kind;

uint64_t ArchiveMember::layer_bytes() const {
  if (kind == Kind::layer_tar) return layer.tar_bytes;
  return kind == Kind::layer_blob ? layer.blob_bytes : 0;
}

void ArchivePlan::add(std::vector<ArchiveMember>& to, ArchiveMember member) {
  if (paths_.insert(member.path).second) to.push_back(std::move(member));
}

void ArchivePlan::add_directory(std::string path) {
  add(documents_, {.kind = Kind::directory, .path = std::move(path), .text = "", .layer = {}});
}

void ArchivePlan::add_text(std::string path, std::string text) {
  add(documents_,
      {.kind = Kind::text, .path = std::move(path), .text = std::move(text), .layer = {}});
}

void ArchivePlan::add_layer_tar(std::string path, const store::LayerRecord& layer) {
  add(layers_, {.kind = Kind::layer_tar, .path = std::move(path), .text = "", .layer = layer});
}

void ArchivePlan::add_layer_blob(std::string path, const store::LayerRecord& layer) {
  add(layers_, {.kind = Kind::layer_blob, .path = std::move(path), .text = "", .layer = layer});
}

std::vector<ArchiveMember> ArchivePlan::take() {
  auto members = std::move(documents_);
  std::ranges::move(layers_, std::back_inserter(members));
  layers_.clear();
  return members;
}

std::string text_of(const OrderedJson& json) {
  // Never fails: what were no UTF-8 would be replaced.
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

}  // namespace lyr::image
