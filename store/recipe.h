// SPDX-License-Identifier: Apache-2.0
// A recipe: how to give a layer's tar back byte for byte (docs/formats.md, "recipe"). The objects
// come first, flat and in the order of use, so that a collector reads just them; then, compressed,
// what stands between them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "store/object.h"
#include "store/store.h"

namespace lyr::store {

// Not thread-safe. Memory: the compressed part only.
class RecipeWriter {
 public:
  RecipeWriter();
  RecipeWriter(RecipeWriter&&) noexcept;
  RecipeWriter& operator=(RecipeWriter&&) noexcept;
  ~RecipeWriter();

  Result<> inline_bytes(std::span<const std::byte> data);
  Result<> object(const ObjectId& id, uint64_t bytes);  // the whole of it
  Result<> zeros(uint64_t bytes);
  // The recipe file's bytes.
  Result<std::vector<std::byte>> finish(const Digest& diff_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A recipe file, checked: EUCLEAN with the reason for anything else. Borrows `file`.
class Recipe {
 public:
  static Result<Recipe> parse(std::span<const std::byte> file);

  const Digest& diff_id() const { return diff_id_; }
  uint64_t tar_bytes() const { return tar_bytes_; }
  size_t object_count() const { return objects_.size() / 48; }
  ObjectId object(size_t index) const;

  // Reads a whole object into `data`, which has the size the recipe says.
  using Fetch = std::function<Result<>(const ObjectId&, std::span<std::byte> data)>;
  // The tar, in pieces of at most object_bytes_max bytes.
  Result<> replay(const Fetch& fetch, const ByteSink& sink) const;

 private:
  Digest diff_id_;
  uint64_t tar_bytes_ = 0;
  std::span<const std::byte> objects_;
  std::span<const std::byte> body_;
};

}  // namespace lyr::store
