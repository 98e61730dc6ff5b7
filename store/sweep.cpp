// SPDX-License-Identifier: Apache-2.0
// Takes away what is in the way of nobody: files of dead imports, and packs nothing refers to any
// more. Every import holds import.lock shared while it lives (the kernel drops it with the
// process); a sweep needs it alone.
#include <sys/file.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/sys_file.h"
#include "store/recipe.h"
#include "store/store_state.h"

namespace lyr::store {
namespace {

Result<std::vector<std::string>> names_in(const Fd& directory) {
  std::vector<std::string> names;
  TRY(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
    names.emplace_back(entry.name);
    return true;
  }));
  return names;
}

Result<> remove_unlisted(const Fd& directory, const std::set<std::string>& listed) {
  auto names = TRY(names_in(directory));
  for (const std::string& name : names) {
    if (!listed.contains(name)) TRY(sys::unlink_at(directory, name.c_str()));
  }
  return {};
}

using Keys = std::unordered_set<ObjectId, ObjectHash>;

// What the layers' recipes name, by key alone: for a sweep equal keys may well be equal objects.
Result<Keys> live_keys(Store::State& state, const std::vector<LayerRecord>& layers) {
  Keys keys;
  for (const LayerRecord& layer : layers) {
    std::string name = recipe_name(layer.diff_id);
    Fd file = TRY(about(sys::open_at(state.layers, name.c_str(), O_RDONLY), name));
    auto status = TRY(sys::stat(file));
    auto mapping = TRY(sys::Mapping::read_only(file, static_cast<size_t>(status.st_size)));
    auto recipe = TRY(Recipe::parse(mapping.bytes()));
    for (size_t i = 0; i < recipe.object_count(); ++i) {
      ObjectId object = recipe.object(i);
      object.sha256 = {};
      keys.insert(object);
    }
  }
  return keys;
}

// By the pack's own footer: the index is a cache and may know too little. A pack that cannot be
// read is kept.
bool is_live(const Store::State& state, const PackRecord& record, const Keys& keys) {
  auto pack = PackReader::open(state.packs, record.number, record.bytes);
  if (!pack) return true;
  auto listed = pack->footer();
  if (!listed) return true;
  return std::ranges::any_of(*listed, [&](const PackFooterEntry& entry) {
    return keys.contains({.sha256 = {}, .xxh3_low = entry.xxh3_low, .xxh3_high = entry.xxh3_high});
  });
}

Result<> forget_dead_packs(Store::State& state, const std::vector<LayerRecord>& layers) {
  auto keys = TRY(live_keys(state, layers));
  auto records = TRY(state.catalog->packs());
  std::vector<PackNumber> dead;
  for (const PackRecord& record : records) {
    if (!is_live(state, record, keys)) dead.push_back(record.number);
  }
  return state.catalog->remove_packs(dead);
}

}  // namespace

Result<> sweep(Store::State& state, bool packs_too) {
  Fd lock = TRY(state.open_import_lock());
  auto alone = sys::flock(lock, LOCK_EX | LOCK_NB);
  if (!alone) return {};  // an import runs: the next sweep will do
  auto layers = TRY(state.catalog->layers());
  if (packs_too) TRY(forget_dead_packs(state, layers));

  std::set<std::string> listed;
  for (const LayerRecord& layer : layers) {
    listed.insert(recipe_name(layer.diff_id));
    listed.insert(layer_tree_name(layer.diff_id));
  }
  TRY(remove_unlisted(state.layers, listed));

  listed.clear();
  auto images = TRY(state.catalog->images());
  for (const ImageRecord& image : images) listed.insert(image_tree_name(image.chain_id));
  TRY(remove_unlisted(state.trees, listed));

  listed.clear();
  auto packs = TRY(state.catalog->packs());
  for (const PackRecord& pack : packs) listed.insert(pack_name(pack.number));
  TRY(remove_unlisted(state.packs, listed));
  state.objects->packs().clear();
  return {};
}

}  // namespace lyr::store
