// SPDX-License-Identifier: Apache-2.0
// What a Store and its Imports share.
#pragma once

#include <memory>
#include <string>

#include "base/fd.h"
#include "store/catalog.h"
#include "store/index.h"
#include "store/object_reader.h"
#include "store/store.h"

namespace lyr::store {

struct Store::State {
  Fd directory;
  Fd packs;
  Fd layers;
  Fd trees;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Index> index;
  std::unique_ptr<ObjectReader> objects;

  // import.lock, shared by every running import (see sweep.cpp). Each holder opens its own.
  Result<Fd> open_import_lock() const;
};

std::string recipe_name(const Digest& diff_id);  // in layers/
std::string layer_tree_name(const Digest& diff_id);
std::string image_tree_name(const Digest& chain_id);  // in trees/

// Writes a file whole under `name`: unnamed first, then fsync, then its name. It takes the place of
// a file of that name, which a dead import may have left. The directory still needs its fsync.
Result<> publish_file(const Fd& directory, const std::string& name,
                      std::span<const std::byte> data);

// Removes what no catalogue row names: files of imports that died, and packs that no recipe refers
// to when `packs_too`. Does nothing while an import runs anywhere. Never needed for the store to
// open.
Result<> sweep(Store::State& state, bool packs_too);

}  // namespace lyr::store
