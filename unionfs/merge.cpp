// SPDX-License-Identifier: Apache-2.0
#include "unionfs/merge.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <tuple>

namespace lyr::unionfs {

uint32_t MergedNames::find(std::string_view name) const {
  auto text = [this](const Entry& entry) {
    return std::string_view(text_.get() + entry.text, entry.bytes);
  };
  auto found = std::ranges::lower_bound(entries_, name, {}, text);
  if (found == entries_.end() || text(*found) != name) return size();
  return static_cast<uint32_t>(found - entries_.begin());
}

std::vector<LayerIndex> MergedNames::layers(uint32_t index) const {
  std::vector<LayerIndex> layers{entries_[index].layer};
  auto at = std::ranges::lower_bound(further_, index, {}, &Further::index);
  for (; at != further_.end() && at->index == index; ++at) layers.push_back(at->layer);
  return layers;
}

void Merge::add(LayerIndex layer, const Layer::Name& name) {
  auto text = static_cast<uint32_t>(text_.size());
  text_.append(name.name);
  items_.push_back({text, layer, static_cast<uint8_t>(name.name.size()), name.type, name.kind});
}

MergedNames Merge::finish() {
  // A whiteout aside comes after what its own layer has of the name.
  std::ranges::sort(items_, [this](const Item& a, const Item& b) {
    return std::tuple(name(a), a.layer, a.kind) < std::tuple(name(b), b.layer, b.kind);
  });
  MergedNames merged;
  size_t bytes = 0;
  for (size_t i = 0, next = 0; i < items_.size(); i = next) {
    for (next = i + 1; next < items_.size() && name(items_[next]) == name(items_[i]);) ++next;
    const Item& top = items_[i];
    if (top.kind == Layer::Kind::whiteout || top.kind == Layer::Kind::whiteout_aside) continue;
    auto index = static_cast<uint32_t>(merged.entries_.size());
    merged.entries_.push_back({top.text, store::no_ino, top.layer, top.bytes, top.type});
    bytes += top.bytes;
    if (top.kind != Layer::Kind::directory) continue;
    for (size_t below = i + 1; below < next; ++below) {
      if (items_[below].kind != Layer::Kind::directory) break;
      merged.further_.push_back({index, items_[below].layer});
    }
  }
  merged.entries_.shrink_to_fit();
  merged.further_.shrink_to_fit();
  merged.text_ = std::make_unique_for_overwrite<char[]>(bytes);
  uint32_t end = 0;
  for (MergedNames::Entry& entry : merged.entries_) {
    std::memcpy(merged.text_.get() + end, text_.data() + entry.text, entry.bytes);
    entry.text = end;
    end += entry.bytes;
  }
  return merged;
}

}  // namespace lyr::unionfs
