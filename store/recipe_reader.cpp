// SPDX-License-Identifier: Apache-2.0
#include <zstd.h>

#include <algorithm>

#include "store/recipe.h"
#include "store/recipe_format.h"

namespace lyr::store {
namespace {

struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

Failure broken_body(const char* reason) { return fail(EUCLEAN, "recipe", reason); }

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
      if (ZSTD_isError(left) != 0) return broken_body("damaged body");
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
      if (bytes.empty()) return broken_body("a body that ends too soon");
      auto byte = static_cast<uint64_t>(bytes.front());
      take(1);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return broken_body("a number too long");
  }

 private:
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> zstd_{ZSTD_createDCtx()};
  ZSTD_inBuffer in_;
  std::vector<std::byte> buffer_;
  std::span<const std::byte> rest_;
  bool ended_ = false;
};

}  // namespace

struct RecipeReader::State {
  State(const Recipe& from, Recipe::Fetch get)
      : recipe(from), body(from.body()), fetch(std::move(get)) {}

  // The next operation, into kind and left; false at the end.
  Result<bool> advance() {
    auto rest = TRY(body.peek());
    if (rest.empty()) {
      if (done != recipe.tar_bytes()) return broken_body("fewer bytes than the tar has");
      if (next_object != recipe.object_count()) return broken_body("objects without use");
      return false;
    }
    uint64_t operation = TRY(body.varint());
    kind = static_cast<RecipeKind>(operation & 3);
    left = operation >> 2;
    if (left > recipe.tar_bytes() - done) return broken_body("more bytes than the tar has");
    done += left;
    switch (kind) {
      case RecipeKind::verbatim:
      case RecipeKind::zeros:
        return true;
      case RecipeKind::object:
        if (next_object == recipe.object_count()) return broken_body("more objects than it lists");
        if (left > object_bytes_max) return broken_body("an object too long");
        ++next_object;
        return true;
    }
    return broken_body("an operation of no kind");
  }

  // Of the operation; an empty object is still fetched: whether it is there matters.
  Result<std::span<const std::byte>> piece() {
    switch (kind) {
      case RecipeKind::verbatim:
        return verbatim();
      case RecipeKind::object:
        return object();
      case RecipeKind::zeros:
        return zeros();
    }
    return broken_body("an operation of no kind");
  }

  Result<std::span<const std::byte>> verbatim() {
    if (left == 0) return std::span<const std::byte>();
    auto bytes = TRY(body.peek());
    if (bytes.empty()) return broken_body("a body that ends too soon");
    bytes = bytes.first(std::min<uint64_t>(bytes.size(), left));
    body.take(bytes.size());
    return bytes;
  }

  Result<std::span<const std::byte>> object() {
    buffer.resize(object_bytes_max);
    auto data = std::span(buffer).first(left);
    zeroed = false;
    TRY(fetch(recipe.object(next_object - 1), data));
    return data;
  }

  std::span<const std::byte> zeros() {
    buffer.resize(object_bytes_max);
    if (!zeroed) std::ranges::fill(buffer, std::byte{0});
    zeroed = true;
    return std::span(buffer).first(std::min<uint64_t>(buffer.size(), left));
  }

  const Recipe& recipe;
  BodyReader body;
  Recipe::Fetch fetch;
  std::vector<std::byte> buffer;
  bool zeroed = false;  // buffer holds zeros
  uint64_t done = 0;    // of the tar, with the operation that is being read
  size_t next_object = 0;
  RecipeKind kind = RecipeKind::verbatim;
  uint64_t left = 0;  // of the operation
};

RecipeReader::RecipeReader(const Recipe& recipe, Recipe::Fetch fetch)
    : state_(std::make_unique<State>(recipe, std::move(fetch))) {}
RecipeReader::RecipeReader(RecipeReader&&) noexcept = default;
RecipeReader& RecipeReader::operator=(RecipeReader&&) noexcept = default;
RecipeReader::~RecipeReader() = default;

Result<std::span<const std::byte>> RecipeReader::next() {
  for (;;) {
    std::span<const std::byte> piece;
    if (state_->left == 0) {
      bool more = TRY(state_->advance());
      if (!more) return piece;
    }
    piece = TRY(state_->piece());
    state_->left -= piece.size();
    if (!piece.empty()) return piece;
  }
}

Result<> Recipe::replay(const Fetch& fetch, const ByteSink& sink) const {
  RecipeReader reader(*this, fetch);
  for (;;) {
    auto piece = TRY(reader.next());
    if (piece.empty()) return {};
    TRY(sink(piece));
  }
}

Result<RecipeSizes> Recipe::measure() const {
  RecipeSizes sizes;
  RecipeReader::State state(*this, nullptr);
  for (;;) {
    bool more = TRY(state.advance());
    if (!more) return sizes;
    if (state.kind == RecipeKind::object) sizes.object_bytes += state.left;
    if (state.kind == RecipeKind::zeros) sizes.zero_bytes += state.left;
    if (state.kind != RecipeKind::verbatim) continue;
    sizes.verbatim_bytes += state.left;
    while (state.left > 0) {
      auto bytes = TRY(state.verbatim());
      state.left -= bytes.size();
    }
  }
}

}  // namespace lyr::store
