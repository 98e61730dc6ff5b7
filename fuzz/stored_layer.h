// SPDX-License-Identifier: Apache-2.0
// A layer that went through a store: its tree as text, and its tar as the recipe gives it back.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "fuzz/scratch_store.h"

namespace lyr::fuzz {

struct StoredLayer {
  std::map<std::string, std::string> lines;  // of tree_lines.h
  std::string tar;
};

// Imports `tar` as an image of one layer, reads all of it back, and removes it. The error, when it
// is refused. Behind the store's fence only.
Result<StoredLayer> through_store(store::Store& store, std::span<const std::byte> tar);

}  // namespace lyr::fuzz
