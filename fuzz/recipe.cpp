// SPDX-License-Identifier: Apache-2.0
// Any bytes are a recipe or are refused; one that is taken gives exactly as many bytes as it says,
// or an error. The checksum is put right first.
#include "store/recipe.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "store/recipe_format.h"

using namespace lyr;
using namespace lyr::store;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  if (file.size() >= sizeof(RecipeHeader)) {
    uint64_t checksum = recipe_checksum(file);
    std::memcpy(file.data() + offsetof(RecipeHeader, checksum), &checksum, sizeof checksum);
  }
  auto recipe = Recipe::parse(file);
  if (!recipe) return 0;
  constexpr uint64_t enough_bytes = 64 << 20;  // a few zeros on disk may stand for very many
  uint64_t given = 0;
  auto fetch = [](const ObjectId&, std::span<std::byte> object) -> Result<> {
    CHECK(object.size() <= object_bytes_max);
    return {};
  };
  auto replayed = recipe->replay(fetch, [&](std::span<const std::byte> piece) -> Result<> {
    given += piece.size();
    return given > enough_bytes ? Result<>(fail(EFBIG, "enough")) : Result<>();
  });
  if (replayed) CHECK(given == recipe->tar_bytes());
  for (size_t i = 0; i < recipe->object_count(); ++i) static_cast<void>(recipe->object(i));
  return 0;
}
