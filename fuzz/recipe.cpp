// SPDX-License-Identifier: Apache-2.0
// Any bytes are a recipe or are refused; one that is taken gives exactly as many bytes as it says,
// or an error, and the same when it is written again. The checksum is put right first. And what is
// written, out of any bytes, is read as it was.
#include "store/recipe.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "store/recipe_format.h"

namespace {

using namespace lyr;
using namespace lyr::store;

constexpr uint64_t enough_bytes = 1 << 20;  // a few zeros on disk may stand for very many

// An object has one content: its name's first byte, again and again.
Result<> fetch(const ObjectId& id, std::span<std::byte> object) {
  CHECK(object.size() <= object_bytes_max);
  std::ranges::fill(object, std::byte{id.sha256.bytes[0]});
  return {};
}

struct Replayed {
  std::string tar;
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  bool whole = false;  // not ended by an error, nor by enough_bytes
};

// With a writer, what is given is written again.
Replayed replay(const Recipe& recipe, RecipeWriter* writer) {
  Replayed replayed;
  bool is_object = false;
  auto get = [&](const ObjectId& id, std::span<std::byte> object) -> Result<> {
    CHECK(replayed.objects < recipe.object_count() && recipe.object(replayed.objects) == id);
    ++replayed.objects;
    replayed.object_bytes += object.size();
    is_object = !object.empty();
    if (writer != nullptr) TRY(writer->object(id, object.size()));
    return fetch(id, object);
  };
  auto outcome = recipe.replay(get, [&](std::span<const std::byte> piece) -> Result<> {
    CHECK(!piece.empty() && piece.size() <= object_bytes_max);
    replayed.tar.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (writer != nullptr && !is_object) TRY(writer->inline_bytes(piece));
    is_object = false;
    return replayed.tar.size() > enough_bytes ? Result<>(fail(EFBIG, "enough")) : Result<>();
  });
  replayed.whole = outcome.has_value();
  CHECK(replayed.tar.size() <= recipe.tar_bytes());
  if (replayed.whole) CHECK(replayed.tar.size() == recipe.tar_bytes());
  return replayed;
}

void check_taken(std::span<const std::byte> bytes) {
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  if (file.size() >= sizeof(RecipeHeader)) {
    uint64_t checksum = recipe_checksum(file);
    std::memcpy(file.data() + offsetof(RecipeHeader, checksum), &checksum, sizeof checksum);
  }
  auto recipe = Recipe::parse(file);
  if (!recipe) return;
  RecipeWriter writer;
  Replayed replayed = replay(*recipe, &writer);
  auto sizes = recipe->measure();
  if (!replayed.whole) return;
  CHECK(replayed.objects == recipe->object_count());
  CHECK(sizes.has_value() && sizes->object_bytes == replayed.object_bytes);
  CHECK(sizes->verbatim_bytes + sizes->object_bytes + sizes->zero_bytes == recipe->tar_bytes());
  auto again = writer.finish(recipe->diff_id());
  CHECK(again.has_value());
  auto other = Recipe::parse(again->in_memory());
  CHECK(other.has_value() && other->diff_id() == recipe->diff_id());
  CHECK(other->tar_bytes() == recipe->tar_bytes());
  Replayed other_replayed = replay(*other, nullptr);
  CHECK(other_replayed.whole && other_replayed.tar == replayed.tar);
}

// Operations out of any bytes: one that says which, one or two for the length, then the content.
void check_written(std::span<const std::byte> bytes) {
  RecipeWriter writer;
  std::string tar;
  uint64_t objects = 0;
  while (bytes.size() >= 3 && tar.size() < enough_bytes / 2) {
    auto kind = std::to_integer<uint8_t>(bytes[0]) % 4;
    size_t length = std::to_integer<size_t>(bytes[1]) | std::to_integer<size_t>(bytes[2]) << 8;
    bytes = bytes.subspan(3);
    if (kind < 2) {
      auto piece = bytes.first(std::min(length, bytes.size()));
      CHECK(writer.inline_bytes(piece).has_value());
      tar.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      bytes = bytes.subspan(piece.size());
    } else if (kind == 2) {
      ObjectId id;
      id.sha256.bytes[0] = static_cast<uint8_t>(length);
      CHECK(writer.object(id, length).has_value());
      tar.append(length, static_cast<char>(length));
      ++objects;
    } else {
      CHECK(writer.zeros(length).has_value());
      tar.append(length, '\0');
    }
  }
  auto file = writer.finish(Digest::of(tar));
  CHECK(file.has_value());
  auto recipe = Recipe::parse(file->in_memory());
  CHECK(recipe.has_value() && recipe->diff_id() == Digest::of(tar));
  CHECK(recipe->object_count() == objects && recipe->tar_bytes() == tar.size());
  Replayed replayed = replay(*recipe, nullptr);
  CHECK(replayed.whole && replayed.tar == tar);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bytes = std::as_bytes(std::span(data, size));
  check_taken(bytes);
  check_written(bytes);
  return 0;
}
