// SPDX-License-Identifier: Apache-2.0
// Takes away what is in the way of nobody: files of dead imports, and packs nothing refers to any
// more. Every import holds import.lock shared while it lives (the kernel drops it with the
// process); a sweep needs it alone.
#include <sys/file.h>

#include <set>

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

// The packs that some layer's recipe takes an object from.
Result<std::set<PackNumber>> packs_in_use(Store::State& state,
                                          const std::vector<LayerRecord>& layers) {
  TRY(state.objects->catch_up());
  std::set<PackNumber> used;
  for (const LayerRecord& layer : layers) {
    Fd file = TRY(sys::open_at(state.layers, recipe_name(layer.diff_id).c_str(), O_RDONLY));
    auto status = TRY(sys::stat(file));
    auto mapping = TRY(sys::Mapping::read_only(file, static_cast<size_t>(status.st_size)));
    auto recipe = TRY(Recipe::parse(mapping.bytes()));
    for (size_t i = 0; i < recipe.object_count(); ++i) {
      auto place = state.objects->find(recipe.object(i));
      // Not to be found: damage that a sweep must not make worse.
      if (!place) return fail(EIO, "sweep", recipe.object(i).sha256.text());
      used.insert(place->pack);
    }
  }
  return used;
}

Result<> forget_dead_packs(Store::State& state, const std::vector<LayerRecord>& layers) {
  auto used = TRY(packs_in_use(state, layers));
  auto records = TRY(state.catalog->packs());
  std::vector<PackNumber> dead;
  for (const PackRecord& record : records) {
    if (!used.contains(record.number)) dead.push_back(record.number);
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
