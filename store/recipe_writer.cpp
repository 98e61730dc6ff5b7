// SPDX-License-Identifier: Apache-2.0
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "store/recipe.h"
#include "store/recipe_format.h"

namespace lyr::store {
namespace {

constexpr int body_level = 1;  // tar headers are mostly zeros: higher levels gain little
constexpr size_t pending_bytes_max = 256 << 10;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

template <class T>
std::span<const std::byte> raw_bytes(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

struct RecipeWriter::State {
  State(Spool to, Spool with) : file(std::move(to)), body(std::move(with)) {}

  std::unique_ptr<ZSTD_CCtx, FreeCompressor> zstd{ZSTD_createCCtx()};
  Spool file;  // the header, and the objects so far
  Spool body;  // compressed
  std::vector<std::byte> piece = std::vector<std::byte>(ZSTD_CStreamOutSize());
  std::vector<std::byte> verbatim;  // the run of inline bytes that is not written yet
  uint64_t object_count = 0;
  uint64_t tar_bytes = 0;

  Result<> compress(std::span<const std::byte> data, ZSTD_EndDirective end) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{piece.data(), piece.size(), 0};
      size_t left = ZSTD_compressStream2(zstd.get(), &out, &in, end);
      TRY(body.append(std::span(piece).first(out.pos)));
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

  // The header is known at the end.
  Result<> begin_file() {
    return file.bytes() > 0 ? Result<>() : file.append(raw_bytes(RecipeHeader{}));
  }

  Result<> copy_body() {
    for (uint64_t at = 0; at < body.bytes(); at += piece.size()) {
      piece.resize(std::min<uint64_t>(piece.size(), body.bytes() - at));
      TRY(body.read(at, piece));
      TRY(file.append(piece));
    }
    return {};
  }

  Result<> flush_verbatim() {
    if (verbatim.empty()) return {};
    TRY(operation(RecipeKind::verbatim, verbatim.size()));
    TRY(compress(verbatim, ZSTD_e_continue));
    verbatim.clear();
    return {};
  }
};

RecipeWriter::RecipeWriter(Spool to, Spool body)
    : state_(std::make_unique<State>(std::move(to), std::move(body))) {
  CHECK(state_->zstd != nullptr);
  ZSTD_CCtx_setParameter(state_->zstd.get(), ZSTD_c_compressionLevel, body_level);
}
RecipeWriter::RecipeWriter(RecipeWriter&&) noexcept = default;
RecipeWriter& RecipeWriter::operator=(RecipeWriter&&) noexcept = default;
RecipeWriter::~RecipeWriter() = default;

Result<> RecipeWriter::inline_bytes(std::span<const std::byte> data) {
  state_->verbatim.insert(state_->verbatim.end(), data.begin(), data.end());
  state_->tar_bytes += data.size();
  if (state_->verbatim.size() >= pending_bytes_max) return state_->flush_verbatim();
  return {};
}

Result<> RecipeWriter::object(const ObjectId& id, uint64_t bytes) {
  TRY(state_->flush_verbatim());
  TRY(state_->begin_file());
  static_assert(sizeof id == recipe_object_bytes && std::is_trivially_copyable_v<ObjectId>);
  TRY(state_->file.append(raw_bytes(id)));
  state_->object_count += 1;
  state_->tar_bytes += bytes;
  return state_->operation(RecipeKind::object, bytes);
}

Result<> RecipeWriter::zeros(uint64_t bytes) {
  TRY(state_->flush_verbatim());
  state_->tar_bytes += bytes;
  return state_->operation(RecipeKind::zeros, bytes);
}

Result<Spool> RecipeWriter::finish(const Digest& diff_id) {
  TRY(state_->flush_verbatim());
  TRY(state_->compress({}, ZSTD_e_end));
  TRY(state_->begin_file());
  RecipeHeader header{};
  header.magic = recipe_magic;
  header.version = recipe_version;
  std::memcpy(header.diff_id, diff_id.bytes.data(), sizeof header.diff_id);
  header.tar_bytes = state_->tar_bytes;
  header.object_count = state_->object_count;
  header.body_bytes = state_->body.bytes();
  TRY(state_->copy_body());
  Spool& file = state_->file;
  TRY(file.patch(0, raw_bytes(header)));
  auto view = TRY(file.view());
  header.checksum = recipe_checksum(view.bytes, [&] { view.mapping.release(); });
  TRY(file.patch(0, raw_bytes(header)));
  return std::move(file);
}

}  // namespace lyr::store
