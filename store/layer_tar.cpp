// SPDX-License-Identifier: Apache-2.0
// A layer's tar, made again from its recipe and checked on the way.
#include "base/sys_file.h"
#include "store/recipe.h"
#include "store/store_state.h"

namespace lyr::store {

struct LayerTar::State {
  State(std::shared_ptr<Store::State> from, sys::Mapping file, Recipe parsed)
      : store(std::move(from)), mapping(std::move(file)), recipe(parsed) {}

  Result<> fetch(const ObjectId& object, std::span<std::byte> data) const {
    size_t got = TRY(store->objects->read(object, 0, data));
    if (got != data.size()) return fail(EIO, "object of another length", object.sha256.text());
    return {};
  }

  std::shared_ptr<Store::State> store;
  sys::Mapping mapping;
  Recipe recipe;  // borrows the mapping
  RecipeReader reader{recipe, [this](const ObjectId& object, std::span<std::byte> data) {
                        return fetch(object, data);
                      }};
  Digest diff_id;
  Sha256 hasher;
};

LayerTar::LayerTar(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerTar::LayerTar(LayerTar&&) noexcept = default;
LayerTar& LayerTar::operator=(LayerTar&&) noexcept = default;
LayerTar::~LayerTar() = default;

uint64_t LayerTar::bytes() const { return state_->recipe.tar_bytes(); }

Result<std::span<const std::byte>> LayerTar::next() {
  auto piece = TRY(state_->reader.next());
  if (!piece.empty()) {
    state_->hasher.update(piece);
  } else if (state_->hasher.finish() != state_->diff_id) {
    return fail(EIO, "recipe", state_->diff_id.text());
  }
  return piece;
}

Result<LayerTar> Store::open_layer_tar(const Digest& diff_id) const {
  std::string layer = "layer " + diff_id.text();
  std::string name = recipe_name(diff_id);
  Fd file = TRY(about(sys::open_at(state_->layers, name.c_str(), O_RDONLY), layer));
  auto status = TRY(about(sys::stat(file), layer));
  auto size = static_cast<size_t>(status.st_size);
  auto mapping = TRY(about(sys::Mapping::read_only(file, size), layer));
  auto recipe = TRY(Recipe::parse(mapping.bytes()));
  auto state = std::make_unique<LayerTar::State>(state_, std::move(mapping), recipe);
  state->diff_id = diff_id;
  return LayerTar(std::move(state));
}

Result<> Store::write_layer_tar(const Digest& diff_id, const ByteSink& sink) const {
  auto tar = TRY(open_layer_tar(diff_id));
  for (;;) {
    auto piece = TRY(tar.next());
    if (piece.empty()) return {};
    TRY(sink(piece));
  }
}

}  // namespace lyr::store
