// SPDX-License-Identifier: Apache-2.0
// One scheme at work. Files come in batches, so that the clock is asked once for many of them and
// a batch is still in the cache when the next scheme reads it.
#pragma once

#include "store/analyze/tally.h"

namespace lyr::store {

// Room for what a scheme may hold back (less than a longest chunk) and as much again.
constexpr size_t batch_bytes = 2 * scheme_chunk_bytes_max;

// A file's content in a batch, or the part of it that is here.
struct FilePiece {
  size_t offset = 0;  // in the batch
  size_t bytes = 0;
  uint64_t file_bytes = 0;
  bool last = false;  // the file ends with it
};

struct Batch {
  std::span<const std::byte> data;
  std::span<const FilePiece> pieces;  // in order; only the last may go on in the next batch
  uint64_t times = 1;
};

struct SchemeRun {
  SchemeRun(const Scheme& scheme, bool compress) : tally(scheme, compress) {}
  virtual ~SchemeRun() = default;
  SchemeRun(const SchemeRun&) = delete;
  SchemeRun& operator=(const SchemeRun&) = delete;

  // Takes the batch's bytes from `taken` on; what it cannot use yet comes again, at the beginning
  // of the next batch.
  virtual void take(const Batch& batch) = 0;
  virtual void end_layer(const Fingerprint&, uint64_t /*times*/) {}

  Tally tally;
  size_t taken = 0;  // of the batch
};

std::unique_ptr<SchemeRun> make_run(const Scheme& scheme, bool compress);

}  // namespace lyr::store
