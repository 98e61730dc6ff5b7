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
#include "store/spool.h"
#include "store/store.h"

namespace lyr::store {

// Not thread-safe.
class RecipeWriter {
 public:
  // The recipe is made in `to`; `body` holds its compressed part meanwhile.
  explicit RecipeWriter(Spool to = {}, Spool body = {});
  RecipeWriter(RecipeWriter&&) noexcept;
  RecipeWriter& operator=(RecipeWriter&&) noexcept;
  ~RecipeWriter();

  Result<> inline_bytes(std::span<const std::byte> data);
  Result<> object(const ObjectId& id, uint64_t bytes);  // the whole of it
  Result<> zeros(uint64_t bytes);
  // The recipe file's bytes.
  Result<Spool> finish(const Digest& diff_id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a recipe's tar is made of; the three add up to tar_bytes().
struct RecipeSizes {
  uint64_t verbatim_bytes = 0;  // headers, padding, odd payloads
  uint64_t object_bytes = 0;    // an object that occurs twice is counted twice
  uint64_t zero_bytes = 0;      // runs of zeros in file content: no object
};

// A recipe file, checked: EUCLEAN with the reason for anything else. Borrows `file`.
class Recipe {
 public:
  static Result<Recipe> parse(std::span<const std::byte> file);
  // The same of a spool's view, of which it keeps little in memory.
  static Result<Recipe> parse(const Spool::View& file);

  const Digest& diff_id() const { return diff_id_; }
  uint64_t tar_bytes() const { return tar_bytes_; }
  size_t object_count() const { return objects_.size() / 48; }
  ObjectId object(size_t index) const;

  // Reads a whole object into `data`, which has the size the recipe says.
  using Fetch = std::function<Result<>(const ObjectId&, std::span<std::byte> data)>;
  // The tar, in pieces of at most object_bytes_max bytes.
  Result<> replay(const Fetch& fetch, const ByteSink& sink) const;
  // Reads the body, and no object.
  Result<RecipeSizes> measure() const;
  std::span<const std::byte> body() const { return body_; }  // compressed

 private:
  static Result<Recipe> parse_unsummed(std::span<const std::byte> file);

  Digest diff_id_;
  uint64_t tar_bytes_ = 0;
  std::span<const std::byte> objects_;
  std::span<const std::byte> body_;
};

// The tar that a recipe gives, for who wants to ask for it. Not thread-safe; `recipe` outlives it.
class RecipeReader {
 public:
  RecipeReader(const Recipe& recipe, Recipe::Fetch fetch);
  RecipeReader(RecipeReader&&) noexcept;
  RecipeReader& operator=(RecipeReader&&) noexcept;
  ~RecipeReader();

  // The next piece, of at most object_bytes_max bytes, valid until the next call; empty at the end.
  Result<std::span<const std::byte>> next();

 private:
  friend class Recipe;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lyr::store
