// SPDX-License-Identifier: Apache-2.0
// The catalogue (LMDB): tags, images, layers and the packs that count. Its transaction is the
// commit point of an import; what it does not name does not exist. Thread-safe; several processes
// may use one catalogue.
#pragma once

#include <algorithm>
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

// Objects of a pack that no longer count: nobody needed them, or they are damaged, and their space
// may have been given back. Offsets of frames in units of frame_alignment, sorted.
struct DroppedFrames {
  PackNumber pack = 0;
  std::vector<uint32_t> frames;

  bool contains(uint64_t offset) const {
    return std::ranges::binary_search(frames, offset / frame_alignment);
  }
};

// What a collection does to the packs, all of it or nothing.
struct PackChange {
  std::vector<PackNumber> removed;
  std::vector<PackRecord> added;       // their sequence is set here
  std::vector<DroppedFrames> dropped;  // in the place of what was dropped of the pack before
};

// The compressed form of a layer that is kept in blobs/.
struct LayerBlob {
  Digest diff_id;
  Digest digest;
  uint64_t bytes = 0;
  std::string media_type;
};

struct CatalogChange {
  std::span<const ImageRecord> images;
  std::span<const Tag> tags;
  std::span<const LayerRecord> layers;
  std::span<const LayerBlob> blobs;   // of layers of the change or the catalogue
  std::span<const PackRecord> packs;  // their sequence is set here
};

// All of it but the tables' bookkeeping.
struct CatalogRows {
  std::vector<ImageRecord> images;  // newest first
  std::vector<LayerRecord> layers;  // sorted by diff id
  std::vector<PackRecord> packs;
  std::vector<Tag> tags;  // sorted by name
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
  Result<std::optional<PackRecord>> pack(PackNumber number) const;
  // Empty for a pack that is whole, or is not here.
  Result<DroppedFrames> dropped(PackNumber number) const;
  // All of these as they are at one moment.
  Result<CatalogRows> rows() const;
  // Grows with every commit that brings packs.
  Result<uint64_t> sequence() const;

  // All of it or nothing, durable when it returns; writes nothing when all is there already.
  // Returns sequence(). ENOENT: an image names a layer that neither the change nor the catalogue
  // has.
  Result<uint64_t> commit(const CatalogChange& change);
  Result<> set_tag(std::string_view name, const Digest& image);
  Result<bool> remove_tag(std::string_view name);
  // Whether a layer that no image has any more may be forgotten, too.
  using MayForget = std::function<bool(const Digest& diff_id)>;
  Result<> remove_image(const Digest& id, const MayForget& may_forget);
  // Forgets the layers that no image has; how many.
  Result<size_t> forget_layers(const MayForget& may_forget);
  // Returns sequence(), which grows when packs are added.
  Result<uint64_t> change_packs(const PackChange& change);

 private:
  struct State;  // store/catalog_state.h
  explicit Catalog(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace lyr::store
