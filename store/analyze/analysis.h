// SPDX-License-Identifier: Apache-2.0
// Compares schemes of deduplication over the same files, side by side: each byte is read once and
// given to all of them. Memory: a fingerprint of 16 bytes, at most 46 with the set's free slots,
// for each unit that a scheme keeps, and a few megabytes.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "store/analyze/fingerprint.h"
#include "store/analyze/scheme.h"

namespace lyr::store {

// Units of 2^i to 2^(i+1) - 1 bytes, i being the place in the array.
struct SizeClass {
  uint64_t chunks = 0;
  uint64_t bytes = 0;
};
constexpr size_t size_classes = 64;

struct SchemeResult {
  const Scheme* scheme = nullptr;
  uint64_t chunks = 0;  // all units, each as often as it occurs
  uint64_t unique_chunks = 0;
  uint64_t unique_bytes = 0;
  uint64_t hole_bytes = 0;  // zeros that are no unit; only where the scheme has holes
  std::optional<uint64_t> compressed_bytes;     // of the unique units; see Analysis
  std::array<SizeClass, size_classes> sizes{};  // of all units
  // This thread's CPU time, over the bytes that were read.
  uint64_t cut_ns = 0;  // for finding the cuts; 0 where the scheme does not read the data
  uint64_t hash_ns = 0;

  // What a plain index of the unique units would take: 32 bytes a slot, 70 % of them used.
  uint64_t index_bytes() const { return (unique_chunks * 32 * 10 + 6) / 7; }
};

struct AnalysisResult {
  uint64_t layers = 0;         // each as often as it occurs
  uint64_t unique_layers = 0;  // that were read
  uint64_t files = 0;          // with content, in all layers
  uint64_t content_bytes = 0;  // of these: what every scheme is compared with
  uint64_t read_bytes = 0;
  std::vector<SchemeResult> schemes;

  double ratio(const SchemeResult& scheme) const;  // content to unique bytes; 1 when empty
  double compressed_ratio(const SchemeResult& scheme) const;
};

struct SchemeRun;

// Not thread-safe.
class Analysis {
 public:
  // `compress`: also compresses each unique unit by itself with zstd -3, and counts what that makes
  // of it, or the unit's own size where that is less. Slow.
  Analysis(std::span<const Scheme* const> schemes, bool compress);
  Analysis(Analysis&&) noexcept;
  Analysis& operator=(Analysis&&) noexcept;
  ~Analysis();

  // A layer that occurs `times` times (from 1 on) and is read once.
  void begin_layer(uint64_t times);
  // The content of a file, `bytes` in all: as long as file_bytes() is given less, it goes on.
  void begin_file(uint64_t bytes);
  void file_bytes(std::span<const std::byte> data);
  // `name`: that of the layer as a whole, what is no content too.
  void end_layer(const Fingerprint& name);

  AnalysisResult finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lyr::store
