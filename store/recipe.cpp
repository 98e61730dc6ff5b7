// SPDX-License-Identifier: Apache-2.0
#include "store/recipe.h"

#include <xxhash.h>

#include <cstring>

#include "base/check.h"
#include "store/recipe_format.h"
#include "store/sum.h"

namespace lyr::store {
namespace {

Failure broken(const char* reason) { return fail(EUCLEAN, "recipe", reason); }

}  // namespace

uint64_t recipe_checksum(std::span<const std::byte> file, const std::function<void()>& between) {
  CHECK(file.size() >= sizeof(RecipeHeader));
  uint64_t seed = XXH3_64bits(file.data(), offsetof(RecipeHeader, checksum));
  return xxh3_in_steps(file.subspan(sizeof(RecipeHeader)), seed, between);
}

Result<Recipe> Recipe::parse(std::span<const std::byte> file) {
  auto recipe = TRY(parse_unsummed(file));
  RecipeHeader header{};
  std::memcpy(&header, file.data(), sizeof header);
  if (header.checksum != recipe_checksum(file)) return broken("damaged");
  return recipe;
}

Result<Recipe> Recipe::parse(const Spool::View& file) {
  auto recipe = TRY(parse_unsummed(file.bytes));
  RecipeHeader header{};
  std::memcpy(&header, file.bytes.data(), sizeof header);
  uint64_t checksum = recipe_checksum(file.bytes, [&] { file.mapping.release(); });
  if (header.checksum != checksum) return broken("damaged");
  return recipe;
}

Result<Recipe> Recipe::parse_unsummed(std::span<const std::byte> file) {
  RecipeHeader header{};
  if (file.size() < sizeof header) return broken("too short");
  std::memcpy(&header, file.data(), sizeof header);
  if (header.magic != recipe_magic) return broken("not a recipe");
  if (header.version != recipe_version) return broken("of another version");
  uint64_t rest = file.size() - sizeof header;
  if (header.object_count > rest / recipe_object_bytes ||
      header.body_bytes != rest - header.object_count * recipe_object_bytes) {
    return broken("cut short");
  }
  if (header.tar_bytes > uint64_t{INT64_MAX}) return broken("a tar too long");
  Recipe recipe;
  std::memcpy(recipe.diff_id_.bytes.data(), header.diff_id, sizeof header.diff_id);
  recipe.tar_bytes_ = header.tar_bytes;
  recipe.objects_ = file.subspan(sizeof header, header.object_count * recipe_object_bytes);
  recipe.body_ = file.subspan(sizeof header + recipe.objects_.size());
  return recipe;
}

ObjectId Recipe::object(size_t index) const {
  CHECK(index < object_count());
  auto record = objects_.subspan(index * recipe_object_bytes, recipe_object_bytes);
  ObjectId id;
  std::memcpy(id.sha256.bytes.data(), record.data(), 32);
  std::memcpy(&id.xxh3_low, record.data() + 32, 8);
  std::memcpy(&id.xxh3_high, record.data() + 40, 8);
  return id;
}

}  // namespace lyr::store
