// SPDX-License-Identifier: Apache-2.0
#include "store/analyze/tally.h"

#include <algorithm>
#include <bit>

namespace lyr::store {

UnitCompressor::UnitCompressor() : zstd_(ZSTD_createCCtx()), out_(ZSTD_CStreamOutSize()) {
  CHECK(zstd_ != nullptr);
  ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, analysis_zstd_level);
}

uint64_t UnitCompressor::compressed_bytes(std::span<const std::byte> unit) {
  out_.resize(std::max(out_.size(), ZSTD_compressBound(unit.size())));
  size_t bytes = ZSTD_compress2(zstd_.get(), out_.data(), out_.size(), unit.data(), unit.size());
  CHECK(ZSTD_isError(bytes) == 0);  // there is room, so only memory can lack
  return std::min(bytes, unit.size());
}

void UnitCompressor::compress(std::span<const std::byte> piece, ZSTD_EndDirective end) {
  ZSTD_inBuffer in{piece.data(), piece.size(), 0};
  raw_bytes_ += piece.size();
  for (;;) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    size_t left = ZSTD_compressStream2(zstd_.get(), &out, &in, end);
    CHECK(ZSTD_isError(left) == 0);
    stream_bytes_ += out.pos;
    if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return;
  }
}

uint64_t UnitCompressor::finish() {
  compress({}, ZSTD_e_end);
  uint64_t bytes = std::min(raw_bytes_, stream_bytes_);
  raw_bytes_ = stream_bytes_ = 0;
  return bytes;
}

Tally::Tally(const Scheme& scheme, bool compress) {
  result_.scheme = &scheme;
  if (!compress) return;
  result_.compressed_bytes = 0;
  compressor_.emplace();
}

bool Tally::add(const Fingerprint& unit, uint64_t bytes, uint64_t times) {
  SizeClass& sizes = result_.sizes[static_cast<size_t>(std::bit_width(bytes | 1) - 1)];
  sizes.chunks += times;
  sizes.bytes += bytes * times;
  result_.chunks += times;
  if (!known_.insert(unit)) return false;
  result_.unique_chunks += 1;
  result_.unique_bytes += bytes;
  return true;
}

}  // namespace lyr::store
