// SPDX-License-Identifier: Apache-2.0
// The names of one directory that several layers have, as overlayfs merges them: a name is what the
// topmost layer has of it, and directories of one name merge until something else is in the way.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "store/tree.h"
#include "unionfs/layer.h"

namespace lyr::unionfs {

using LayerIndex = uint16_t;  // 0 is the topmost

// Sorted by name. Once made, its texts stay where they are.
class MergedNames {
 public:
  struct Entry {
    uint32_t text = 0;
    store::Ino ino = store::no_ino;  // the user's; unset at first
    LayerIndex layer = 0;            // the topmost that has it
    uint8_t bytes = 0;
    uint8_t type = 0;  // DT_*
  };

  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  Entry& at(uint32_t index) { return entries_[index]; }
  const Entry& at(uint32_t index) const { return entries_[index]; }
  std::string_view name(uint32_t index) const {
    return {text_.get() + entries_[index].text, entries_[index].bytes};
  }
  uint32_t find(std::string_view name) const;  // size(): there is none
  // The layers that have a directory of this name, the topmost first; of a directory.
  std::vector<LayerIndex> layers(uint32_t index) const;

 private:
  friend class Merge;
  struct Further {  // a layer that a directory merges with
    uint32_t index;
    LayerIndex layer;
  };
  std::vector<Entry> entries_;
  std::unique_ptr<char[]> text_;
  std::vector<Further> further_;  // sorted
};

// Takes the names of one layer after the other, from the top.
class Merge {
 public:
  void add(LayerIndex layer, const Layer::Name& name);
  MergedNames finish();

 private:
  struct Item {
    uint32_t text;
    LayerIndex layer;
    uint8_t bytes;
    uint8_t type;
    Layer::Kind kind;
  };
  std::string_view name(const Item& item) const {
    return std::string_view(text_).substr(item.text, item.bytes);
  }
  std::vector<Item> items_;
  std::string text_;
};

}  // namespace lyr::unionfs
