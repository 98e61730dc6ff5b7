// SPDX-License-Identifier: Apache-2.0
// All that a store holds as text, for tests that compare what is there after something went wrong:
// every byte is read and checked, so that equal texts mean equal content.
#pragma once

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "store/store.h"
#include "tests/store/tree_text.h"

namespace lyr::store {

inline std::string layer_line(const Store& store, const Digest& diff_id) {
  auto record = must(store.layer(diff_id));
  if (!record) return "  no layer " + diff_id.hex() + "\n";
  auto ignore = [](std::span<const std::byte>) -> Result<> { return {}; };
  std::string line = "  layer " + diff_id.hex();
  auto given = store.write_layer_tar(diff_id, ignore);  // compares with the digest
  if (!given) line += " damaged: " + describe(given.error());
  if (record->blob_kept) {
    auto blob = store.write_layer_blob(*record, ignore);
    line += " blob " + (blob ? record->blob_digest.hex() : describe(blob.error()));
  }
  return line + "\n";
}

// Images with their layers, tags, and whatever is damaged.
inline std::string state_of(Store& store) {
  std::set<std::string> images;
  for (const ImageRecord& image : must(store.images())) {
    std::string text = "image " + image.id.hex();
    auto tree = store.open_image_tree(image.chain_id);
    if (!tree) text += " without a tree: " + describe(tree.error());
    text += "\n";
    for (const Digest& diff_id : image.diff_ids) text += layer_line(store, diff_id);
    images.insert(text);
  }
  std::string state;
  for (const std::string& text : images) state += text;
  for (const Tag& tag : must(store.tags())) state += tag.name + " " + tag.image.hex() + "\n";
  auto scrubbed = store.scrub({});
  if (!scrubbed) return state + "scrub: " + describe(scrubbed.error()) + "\n";
  for (const Damage& damage : scrubbed->damage) state += "damage: " + damage.what + "\n";
  return state;
}

// Files that nobody needs, and what objects no layer has: after a collection there are none.
inline std::string leaks_of(Store& store, const std::string& path) {
  std::set<std::string> needed = {"packs",       "layers",      "trees",       "blobs",
                                  "catalog.mdb", "index.tbl",   "leases",      "catalog.mdb-lock",
                                  "index.lock",  "commit.lock", "collect.lock"};
  for (const ImageRecord& image : must(store.images())) {
    needed.insert("trees/" + image.chain_id.hex() + ".tree");
    for (const Digest& diff_id : image.diff_ids) {
      needed.insert("layers/" + diff_id.hex() + ".recipe");
      needed.insert("layers/" + diff_id.hex() + ".tree");
      auto record = must(store.layer(diff_id));
      if (record && record->blob_kept) needed.insert("blobs/" + record->blob_digest.hex());
    }
  }
  std::string leaks;
  size_t packs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    std::string name = entry.path().string().substr(path.size() + 1);
    bool pack = name.starts_with("packs/");
    packs += pack ? 1 : 0;
    if (!pack && !needed.contains(name)) leaks += name + "\n";
  }
  if (packs != must(store.sizes()).packs) leaks += std::to_string(packs) + " packs\n";
  CollectReport report = must(store.collect({.dry_run = true}));
  if (report.dead_objects != 0) leaks += std::to_string(report.dead_objects) + " dead objects\n";
  return leaks;
}

}  // namespace lyr::store
