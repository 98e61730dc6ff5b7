// SPDX-License-Identifier: Apache-2.0
// What one scheme has kept so far.
#pragma once

#include <zstd.h>

#include "store/analyze/analysis.h"

namespace lyr::store {

constexpr int analysis_zstd_level = 3;

// zstd, a unit at a time; how long each comes out, the bytes are dropped.
class UnitCompressor {
 public:
  UnitCompressor();
  uint64_t compressed_bytes(std::span<const std::byte> unit);
  // A unit that comes in pieces.
  void update(std::span<const std::byte> piece) { compress(piece, ZSTD_e_continue); }
  uint64_t finish();

 private:
  void compress(std::span<const std::byte> piece, ZSTD_EndDirective end);

  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> zstd_;
  std::vector<std::byte> out_;
  uint64_t raw_bytes_ = 0;
  uint64_t stream_bytes_ = 0;
};

class Tally {
 public:
  Tally(const Scheme& scheme, bool compress);

  // A unit that occurs `times` times in what was read. True: it was not known before, and if it is
  // to be compressed, add_compressed() is to follow.
  bool add(const Fingerprint& unit, uint64_t bytes, uint64_t times);
  void add_compressed(uint64_t bytes) { *result_.compressed_bytes += bytes; }

  SchemeResult& result() { return result_; }
  UnitCompressor* compressor() { return compressor_ ? &*compressor_ : nullptr; }

 private:
  SchemeResult result_;
  FingerprintSet known_;
  std::optional<UnitCompressor> compressor_;
};

}  // namespace lyr::store
