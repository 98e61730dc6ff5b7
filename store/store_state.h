// SPDX-License-Identifier: Apache-2.0
// What a Store and its Imports share.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "store/catalog.h"
#include "store/hot_files.h"
#include "store/index.h"
#include "store/object_reader.h"
#include "store/store.h"

namespace lyr::store {

struct Store::State {
  Fd directory;
  Fd packs;
  Fd layers;
  Fd trees;
  Fd blobs;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Index> index;
  std::unique_ptr<ObjectReader> objects;
  std::unique_ptr<HotFiles> hot_files;

  // commit.lock: held shared while an import's files have their names and the catalogue does not
  // know them yet, alone by who takes away files that nobody names. Each holder opens its own.
  Result<Fd> open_commit_lock() const;
  // collect.lock, taken: waits for whoever else removes what is not needed.
  Result<Fd> lock_collection() const;
};

// What Store::read_file gives.
Result<size_t> read_content(const Store::State& state, const Tree& tree, Ino ino, uint64_t offset,
                            std::span<std::byte> data);
Result<Tree> open_image_tree(const Store::State& state, const Digest& chain_id);
// The files of all images that a hot file may be of, by its name; of equal ones, one is enough.
// Trees that cannot be read have none.
using HotSink = std::function<Result<>(const Tree& tree, Ino ino, const Digest& name)>;
Result<> each_hot_content(const Store::State& state, const HotSink& each);

std::string recipe_name(const Digest& diff_id);  // in layers/
std::string layer_tree_name(const Digest& diff_id);
std::string image_tree_name(const Digest& chain_id);  // in trees/
std::string blob_name(const Digest& digest);          // in blobs/

// Writes a file whole under `name`: unnamed first, then fsync, then its name. It takes the place of
// a file of that name, which a dead import may have left. The directory still needs its fsync.
Result<> publish_file(const Fd& directory, const std::string& name,
                      std::span<const std::byte> data);

// Removes the files that no catalogue row names: what imports and collections left that died. Those
// of running ones are left alone. Never needed for the store to open.
Result<> sweep(Store::State& state);

}  // namespace lyr::store
