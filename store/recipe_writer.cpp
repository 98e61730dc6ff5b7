// SPDX-License-Identifier: Apache-2.0
#include <xxhash.h>
#include <zstd.h>

#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "store/recipe.h"
#include "store/recipe_format.h"

namespace lyr::store {
namespace {

constexpr int body_level = 1;  // tar headers are mostly zeros: higher levels gain little
constexpr size_t pending_bytes_max = 256 << 10;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

void append(std::vector<std::byte>& to, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  to.insert(to.end(), bytes, bytes + size);
}

}  // namespace

struct RecipeWriter::State {
  std::unique_ptr<ZSTD_CCtx, FreeContext> zstd{ZSTD_createCCtx()};
  std::vector<std::byte> objects;
  std::vector<std::byte> body;  // compressed
  std::vector<std::byte> piece = std::vector<std::byte>(ZSTD_CStreamOutSize());
  std::vector<std::byte> verbatim;  // the run of inline bytes that is not written yet
  uint64_t object_count = 0;
  uint64_t tar_bytes = 0;

  Result<> compress(std::span<const std::byte> data, ZSTD_EndDirective end) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{piece.data(), piece.size(), 0};
      size_t left = ZSTD_compressStream2(zstd.get(), &out, &in, end);
      append(body, piece.data(), out.pos);
      if (ZSTD_isError(left) != 0) return fail(EIO, ZSTD_getErrorName(left));
      if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  Result<> operation(RecipeKind kind, uint64_t length) {
    std::byte varint[10];
    size_t size = 0;
    for (uint64_t rest = length << 2 | static_cast<uint64_t>(kind);; rest >>= 7) {
      varint[size++] = static_cast<std::byte>((rest & 127) | (rest > 127 ? 128 : 0));
      if (rest <= 127) break;
    }
    return compress(std::span(varint).first(size), ZSTD_e_continue);
  }

  Result<> flush_verbatim() {
    if (verbatim.empty()) return {};
    TRY(operation(RecipeKind::verbatim, verbatim.size()));
    TRY(compress(verbatim, ZSTD_e_continue));
    verbatim.clear();
    return {};
  }
};

RecipeWriter::RecipeWriter() : state_(std::make_unique<State>()) {
  CHECK(state_->zstd != nullptr);
  ZSTD_CCtx_setParameter(state_->zstd.get(), ZSTD_c_compressionLevel, body_level);
}
RecipeWriter::RecipeWriter(RecipeWriter&&) noexcept = default;
RecipeWriter& RecipeWriter::operator=(RecipeWriter&&) noexcept = default;
RecipeWriter::~RecipeWriter() = default;

Result<> RecipeWriter::inline_bytes(std::span<const std::byte> data) {
  append(state_->verbatim, data.data(), data.size());
  state_->tar_bytes += data.size();
  if (state_->verbatim.size() >= pending_bytes_max) return state_->flush_verbatim();
  return {};
}

Result<> RecipeWriter::object(const ObjectId& id, uint64_t bytes) {
  TRY(state_->flush_verbatim());
  append(state_->objects, id.sha256.bytes.data(), id.sha256.bytes.size());
  append(state_->objects, &id.xxh3_low, sizeof id.xxh3_low);
  append(state_->objects, &id.xxh3_high, sizeof id.xxh3_high);
  state_->object_count += 1;
  state_->tar_bytes += bytes;
  return state_->operation(RecipeKind::object, bytes);
}

Result<> RecipeWriter::zeros(uint64_t bytes) {
  TRY(state_->flush_verbatim());
  state_->tar_bytes += bytes;
  return state_->operation(RecipeKind::zeros, bytes);
}

Result<std::vector<std::byte>> RecipeWriter::finish(const Digest& diff_id) {
  TRY(state_->flush_verbatim());
  TRY(state_->compress({}, ZSTD_e_end));
  RecipeHeader header{};
  header.magic = recipe_magic;
  header.version = recipe_version;
  std::memcpy(header.diff_id, diff_id.bytes.data(), sizeof header.diff_id);
  header.tar_bytes = state_->tar_bytes;
  header.object_count = state_->object_count;
  header.body_bytes = state_->body.size();
  std::vector<std::byte> file;
  file.reserve(sizeof header + state_->objects.size() + state_->body.size());
  append(file, &header, sizeof header);
  append(file, state_->objects.data(), state_->objects.size());
  append(file, state_->body.data(), state_->body.size());
  header.checksum = recipe_checksum(file);
  std::memcpy(file.data() + offsetof(RecipeHeader, checksum), &header.checksum,
              sizeof header.checksum);
  return file;
}

}  // namespace lyr::store
