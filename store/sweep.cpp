// SPDX-License-Identifier: Apache-2.0
// Takes away files that are in the way of nobody: what imports and collections left that were
// killed. A pack that is being written is locked by its writer until the catalogue has it; recipes,
// trees and blobs have names only while their import holds commit.lock.
#include <sys/file.h>

#include <set>

#include "base/sys_file.h"
#include "store/store_state.h"

namespace lyr::store {
namespace {

Result<std::vector<std::string>> names_in(const Fd& directory, const char* name) {
  std::vector<std::string> names;
  auto each = [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  };
  TRY(about(sys::read_directory(directory, each), name));
  return names;
}

Result<> remove_unlisted(const Fd& directory, const char* directory_name,
                         const std::set<std::string>& listed) {
  auto names = TRY(names_in(directory, directory_name));
  for (const std::string& name : names) {
    if (!listed.contains(name)) TRY(about(sys::unlink_at(directory, name.c_str()), name));
  }
  return {};
}

// Recipes, trees and blobs, unless an import is about to commit some: the next sweep will do.
Result<> sweep_layers(const Store::State& state) {
  Fd lock = TRY(state.open_commit_lock());
  if (!sys::flock(lock, LOCK_EX | LOCK_NB)) return {};
  std::set<std::string> listed;
  auto layers = TRY(state.catalog->layers());
  for (const LayerRecord& layer : layers) {
    listed.insert(recipe_name(layer.diff_id));
    listed.insert(layer_tree_name(layer.diff_id));
  }
  TRY(remove_unlisted(state.layers, "layers", listed));
  listed.clear();
  for (const LayerRecord& layer : layers) {
    if (layer.blob_kept) listed.insert(blob_name(layer.blob_digest));
  }
  TRY(remove_unlisted(state.blobs, "blobs", listed));

  listed.clear();
  auto images = TRY(state.catalog->images());
  for (const ImageRecord& image : images) listed.insert(image_tree_name(image.chain_id));
  return remove_unlisted(state.trees, "trees", listed);
}

// Whether the file is a pack that nobody writes nor names. Its writer may have committed it between
// a first look at the catalogue and the lock: so the catalogue is asked again.
Result<bool> is_abandoned(const Store::State& state, const Fd& file, const std::string& name) {
  if (!sys::flock(file, LOCK_EX | LOCK_NB)) return false;
  auto number = parse_pack_name(name);
  if (!number) return true;
  auto record = TRY(state.catalog->pack(*number));
  return !record.has_value();
}

Result<bool> sweep_packs(const Store::State& state) {
  auto names = TRY(names_in(state.packs, "packs"));
  std::set<std::string> listed;
  auto packs = TRY(state.catalog->packs());
  for (const PackRecord& pack : packs) listed.insert(pack_name(pack.number));
  bool removed = false;
  for (const std::string& name : names) {
    if (listed.contains(name)) continue;
    auto file = sys::open_at(state.packs, name.c_str(), O_RDONLY | O_NOFOLLOW);
    if (!file) continue;  // another sweep was quicker
    bool abandoned = TRY(is_abandoned(state, *file, name));
    if (!abandoned) continue;
    auto unlinked = sys::unlink_at(state.packs, name.c_str());
    if (unlinked) {
      removed = true;
    } else if (unlinked.error().code != ENOENT) {
      return about(Result<bool>(std::unexpected(std::move(unlinked).error())), name);
    }
  }
  return removed;
}

}  // namespace

Result<> sweep(Store::State& state) {
  TRY(sweep_layers(state));
  bool removed = TRY(sweep_packs(state));
  if (removed) state.objects->packs().clear();
  state.index->remove_unfinished();
  return {};
}

}  // namespace lyr::store
