// SPDX-License-Identifier: Apache-2.0
#include "store/codec.h"

#include <zstd.h>

#include "base/check.h"

namespace lyr::store {
namespace {

constexpr size_t saving_divisor = 16;

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

Compressor::Compressor() : context_(ZSTD_createCCtx()) { CHECK(context_ != nullptr); }

std::optional<std::span<const std::byte>> Compressor::compress(std::span<const std::byte> raw) {
  // Room for what is worth keeping and no more: zstd gives up where it would not fit.
  buffer_.resize(raw.size() - raw.size() / saving_divisor);
  if (buffer_.size() == raw.size()) return std::nullopt;
  size_t size = ZSTD_compressCCtx(context_.get(), buffer_.data(), buffer_.size(), raw.data(),
                                  raw.size(), compression_level);
  if (ZSTD_isError(size) != 0) return std::nullopt;
  return std::span(buffer_).first(size);
}

Result<> decompress(std::span<const std::byte> stored, std::span<std::byte> raw) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  CHECK(context != nullptr);
  size_t size =
      ZSTD_decompressDCtx(context.get(), raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) return fail(EIO, "damaged compressed frame");
  return {};
}

}  // namespace lyr::store
