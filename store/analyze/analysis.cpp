// SPDX-License-Identifier: Apache-2.0
#include "store/analyze/analysis.h"

#include <algorithm>
#include <cstring>

#include "store/analyze/scheme_run.h"

namespace lyr::store {
namespace {

constexpr size_t batch_pieces_max = 16384;

double quotient(uint64_t a, uint64_t b) {
  return b == 0 ? 1 : static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

double AnalysisResult::ratio(const SchemeResult& scheme) const {
  return quotient(content_bytes, scheme.unique_bytes);
}

double AnalysisResult::compressed_ratio(const SchemeResult& scheme) const {
  return quotient(content_bytes, scheme.compressed_bytes.value_or(0));
}

struct Analysis::State {
  std::vector<std::unique_ptr<SchemeRun>> runs;
  std::vector<std::byte> buffer = std::vector<std::byte>(batch_bytes);
  size_t used = 0;  // of buffer
  std::vector<FilePiece> pieces;
  uint64_t file_left = 0;  // of the last piece's file, that was not given yet
  uint64_t times = 1;
  AnalysisResult result;

  void flush();
};

// Gives the batch to every scheme and keeps the end of an unfinished file, from where the slowest
// of them stands.
void Analysis::State::flush() {
  if (pieces.empty()) return;
  Batch batch{.data = std::span(buffer).first(used), .pieces = pieces, .times = times};
  size_t keep = used;
  for (auto& run : runs) {
    run->take(batch);
    keep = std::min(keep, run->taken);
  }
  for (auto& run : runs) run->taken -= keep;
  FilePiece last = pieces.back();
  pieces.clear();
  std::memmove(buffer.data(), buffer.data() + keep, used - keep);
  used -= keep;
  CHECK(used < scheme_chunk_bytes_max);
  if (!last.last) pieces.push_back({.bytes = used, .file_bytes = last.file_bytes});
}

Analysis::Analysis(std::span<const Scheme* const> schemes, bool compress)
    : state_(std::make_unique<State>()) {
  for (const Scheme* scheme : schemes) state_->runs.push_back(make_run(*scheme, compress));
}
Analysis::Analysis(Analysis&&) noexcept = default;
Analysis& Analysis::operator=(Analysis&&) noexcept = default;
Analysis::~Analysis() = default;

void Analysis::begin_layer(uint64_t times) {
  CHECK(times > 0 && state_->pieces.empty());
  state_->times = times;
  state_->result.layers += times;
  state_->result.unique_layers += 1;
}

void Analysis::begin_file(uint64_t bytes) {
  CHECK(state_->file_left == 0);
  if (bytes == 0) return;
  if (state_->pieces.size() == batch_pieces_max) state_->flush();
  state_->result.files += state_->times;
  state_->result.content_bytes += bytes * state_->times;
  state_->result.read_bytes += bytes;
  state_->pieces.push_back({.offset = state_->used, .file_bytes = bytes});
  state_->file_left = bytes;
}

void Analysis::file_bytes(std::span<const std::byte> data) {
  CHECK(data.size() <= state_->file_left);
  while (!data.empty()) {
    if (state_->used == batch_bytes) state_->flush();
    auto piece = data.first(std::min(data.size(), batch_bytes - state_->used));
    std::memcpy(state_->buffer.data() + state_->used, piece.data(), piece.size());
    state_->used += piece.size();
    state_->file_left -= piece.size();
    state_->pieces.back().bytes += piece.size();
    state_->pieces.back().last = state_->file_left == 0;
    data = data.subspan(piece.size());
  }
}

void Analysis::end_layer(const Fingerprint& name) {
  CHECK(state_->file_left == 0);
  state_->flush();
  for (auto& run : state_->runs) run->end_layer(name, state_->times);
}

AnalysisResult Analysis::finish() {
  for (auto& run : state_->runs) state_->result.schemes.push_back(run->tally.result());
  return std::move(state_->result);
}

}  // namespace lyr::store
