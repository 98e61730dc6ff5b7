// SPDX-License-Identifier: Apache-2.0
// The catalogue (LMDB): tags, images, layers and the packs that count. Its transaction is the
// commit point of an import; what it does not name does not exist. Thread-safe; several processes
// may use one catalogue.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/pack.h"
#include "store/store.h"

namespace lyr::store {

struct PackRecord {
  PackNumber number = 0;
  uint64_t bytes = 0;     // committed length
  uint64_t sequence = 0;  // of the commit that brought it
};

struct CatalogChange {
  std::span<const ImageRecord> images;
  std::span<const Tag> tags;
  std::span<const LayerRecord> layers;
  std::span<const PackRecord> packs;  // their sequence is set here
};

class Catalog {
 public:
  static Result<Catalog> open(const std::string& directory);
  Catalog(Catalog&&) noexcept;
  Catalog& operator=(Catalog&&) noexcept;
  ~Catalog();

  Result<std::optional<ImageRecord>> image(const Digest& id) const;
  Result<std::vector<ImageRecord>> images() const;
  Result<std::optional<LayerRecord>> layer(const Digest& diff_id) const;
  Result<std::vector<LayerRecord>> layers() const;
  Result<std::vector<Tag>> tags() const;
  Result<std::optional<Digest>> tag(std::string_view name) const;
  Result<std::vector<PackRecord>> packs() const;
  // Grows with every commit that brings packs.
  Result<uint64_t> sequence() const;

  // All of it or nothing, durable when it returns; writes nothing when all is there already.
  // Returns sequence(). ENOENT: an image names a layer that neither the change nor the catalogue
  // has.
  Result<uint64_t> commit(const CatalogChange& change);
  Result<> set_tag(std::string_view name, const Digest& image);
  Result<bool> remove_tag(std::string_view name);
  Result<> remove_image(const Digest& id);
  Result<> remove_packs(std::span<const PackNumber> packs);

 private:
  struct State;  // store/catalog_state.h
  explicit Catalog(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace lyr::store
