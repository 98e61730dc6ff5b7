// SPDX-License-Identifier: Apache-2.0
#include "store/recipe.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "store/recipe_format.h"

namespace lyr::store {
namespace {

constexpr size_t object_record_bytes = 48;

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Failure broken(const char* reason) { return fail(EUCLEAN, "recipe", reason); }

// The decompressed body, a piece at a time.
class BodyReader {
 public:
  explicit BodyReader(std::span<const std::byte> body)
      : in_{body.data(), body.size(), 0}, buffer_(ZSTD_DStreamOutSize()) {}

  // At least one byte unless the body has ended; valid until the next call.
  Result<std::span<const std::byte>> peek() {
    while (rest_.empty()) {
      if (ended_ || in_.pos == in_.size) return rest_;
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      size_t left = ZSTD_decompressStream(zstd_.get(), &out, &in_);
      if (ZSTD_isError(left) != 0) return broken("damaged body");
      ended_ = left == 0;
      rest_ = std::span(buffer_).first(out.pos);
    }
    return rest_;
  }

  void take(size_t bytes) { rest_ = rest_.subspan(bytes); }

  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      auto bytes = TRY(peek());
      if (bytes.empty()) return broken("a body that ends too soon");
      auto byte = static_cast<uint64_t>(bytes.front());
      take(1);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return broken("a number too long");
  }

 private:
  std::unique_ptr<ZSTD_DCtx, FreeContext> zstd_{ZSTD_createDCtx()};
  ZSTD_inBuffer in_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> rest_;
  bool ended_ = false;
};

class Replay {
 public:
  Replay(const Recipe& recipe, std::span<const std::byte> body, const Recipe::Fetch& fetch,
         const ByteSink& sink)
      : recipe_(recipe), body_(body), fetch_(fetch), sink_(sink), buffer_(object_bytes_max) {}

  Result<> run() {
    while (!TRY(body_.peek()).empty()) {
      uint64_t operation = TRY(body_.varint());
      uint64_t length = operation >> 2;
      if (length > recipe_.tar_bytes() - done_) return broken("more bytes than the tar has");
      done_ += length;
      TRY(step(static_cast<RecipeKind>(operation & 3), length));
    }
    if (done_ != recipe_.tar_bytes()) return broken("fewer bytes than the tar has");
    if (next_ != recipe_.object_count()) return broken("objects without use");
    return {};
  }

 private:
  Result<> step(RecipeKind kind, uint64_t length) {
    switch (kind) {
      case RecipeKind::verbatim:
        return verbatim(length);
      case RecipeKind::object:
        return object(length);
      case RecipeKind::zeros:
        return zeros(length);
      default:
        return broken("an operation of no kind");
    }
  }

  Result<> verbatim(uint64_t length) {
    while (length > 0) {
      auto bytes = TRY(body_.peek());
      if (bytes.empty()) return broken("a body that ends too soon");
      bytes = bytes.first(std::min<uint64_t>(bytes.size(), length));
      TRY(sink_(bytes));
      length -= bytes.size();
      body_.take(bytes.size());
    }
    return {};
  }

  Result<> object(uint64_t length) {
    if (next_ == recipe_.object_count()) return broken("more objects than it lists");
    if (length > object_bytes_max) return broken("an object too long");
    auto data = std::span(buffer_).first(length);
    TRY(fetch_(recipe_.object(next_++), data));
    return sink_(data);
  }

  Result<> zeros(uint64_t length) {
    std::ranges::fill(buffer_, std::byte{0});
    while (length > 0) {
      auto piece = std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), length));
      TRY(sink_(piece));
      length -= piece.size();
    }
    return {};
  }

  const Recipe& recipe_;
  BodyReader body_;
  const Recipe::Fetch& fetch_;
  const ByteSink& sink_;
  std::vector<std::byte> buffer_;
  uint64_t done_ = 0;
  size_t next_ = 0;
};

}  // namespace

uint64_t recipe_checksum(std::span<const std::byte> file) {
  CHECK(file.size() >= sizeof(RecipeHeader));
  uint64_t seed = XXH3_64bits(file.data(), offsetof(RecipeHeader, checksum));
  auto rest = file.subspan(sizeof(RecipeHeader));
  return XXH3_64bits_withSeed(rest.data(), rest.size(), seed);
}

Result<Recipe> Recipe::parse(std::span<const std::byte> file) {
  RecipeHeader header{};
  if (file.size() < sizeof header) return broken("too short");
  std::memcpy(&header, file.data(), sizeof header);
  if (header.magic != recipe_magic) return broken("not a recipe");
  if (header.version != recipe_version) return broken("of another version");
  uint64_t rest = file.size() - sizeof header;
  if (header.object_count > rest / object_record_bytes ||
      header.body_bytes != rest - header.object_count * object_record_bytes) {
    return broken("cut short");
  }
  if (header.checksum != recipe_checksum(file)) return broken("damaged");
  if (header.tar_bytes > uint64_t{INT64_MAX}) return broken("a tar too long");
  Recipe recipe;
  std::memcpy(recipe.diff_id_.bytes.data(), header.diff_id, sizeof header.diff_id);
  recipe.tar_bytes_ = header.tar_bytes;
  recipe.objects_ = file.subspan(sizeof header, header.object_count * object_record_bytes);
  recipe.body_ = file.subspan(sizeof header + recipe.objects_.size());
  return recipe;
}

ObjectId Recipe::object(size_t index) const {
  CHECK(index < object_count());
  auto record = objects_.subspan(index * object_record_bytes, object_record_bytes);
  ObjectId id;
  std::memcpy(id.sha256.bytes.data(), record.data(), 32);
  std::memcpy(&id.xxh3_low, record.data() + 32, 8);
  std::memcpy(&id.xxh3_high, record.data() + 40, 8);
  return id;
}

Result<> Recipe::replay(const Fetch& fetch, const ByteSink& sink) const {
  return Replay(*this, body_, fetch, sink).run();
}

}  // namespace lyr::store
