// SPDX-License-Identifier: Apache-2.0
#include "store/analyze/scheme_run.h"

#include <algorithm>
#include <utility>

#include "base/sys_event.h"
#include "store/chunker.h"

namespace lyr::store {
namespace {

// Three passes, so that each can be timed by itself: cut, hash, count.
class ChunkRun final : public SchemeRun {
 public:
  using SchemeRun::SchemeRun;

  void take(const Batch& batch) override {
    SchemeResult& result = tally.result();
    chunks_.clear();
    int64_t begin = sys::thread_cpu_ns();
    cut(*result.scheme, batch);
    int64_t cut_done = sys::thread_cpu_ns();
    names_.clear();
    for (auto chunk : chunks_) names_.push_back(Fingerprint::of(chunk));
    int64_t hashed = sys::thread_cpu_ns();
    if (result.scheme->content_defined) result.cut_ns += static_cast<uint64_t>(cut_done - begin);
    result.hash_ns += static_cast<uint64_t>(hashed - cut_done);
    for (size_t i = 0; i < chunks_.size(); ++i) count(chunks_[i], names_[i], batch.times);
  }

 private:
  void cut(const Scheme& scheme, const Batch& batch) {
    for (const FilePiece& piece : batch.pieces) {
      auto rest = batch.data.first(piece.offset + piece.bytes);
      rest = rest.subspan(std::max(taken, piece.offset));
      bool whole = piece.file_bytes <= scheme.whole_file_bytes_max;
      while (rest.size() >= scheme.chunk_bytes_max || (piece.last && !rest.empty())) {
        size_t length = whole ? rest.size() : scheme.next_cut(rest);
        chunks_.push_back(rest.first(length));
        rest = rest.subspan(length);
      }
      taken = piece.offset + piece.bytes - rest.size();
    }
  }

  void count(std::span<const std::byte> chunk, const Fingerprint& name, uint64_t times) {
    if (tally.result().scheme->zeros_are_holes && all_zeros(chunk)) {
      tally.result().hole_bytes += chunk.size() * times;
      return;
    }
    bool added = tally.add(name, chunk.size(), times);
    UnitCompressor* compressor = tally.compressor();
    if (added && compressor != nullptr) tally.add_compressed(compressor->compressed_bytes(chunk));
  }

  std::vector<std::span<const std::byte>> chunks_;
  std::vector<Fingerprint> names_;
};

class FileRun final : public SchemeRun {
 public:
  using SchemeRun::SchemeRun;

  void take(const Batch& batch) override {
    names_.clear();
    int64_t begin = sys::thread_cpu_ns();
    for (const FilePiece& piece : batch.pieces) hash(batch, piece);
    tally.result().hash_ns += static_cast<uint64_t>(sys::thread_cpu_ns() - begin);
    size_t next = 0;
    for (const FilePiece& piece : batch.pieces) {
      bool added = piece.last && tally.add(names_[next++], piece.file_bytes, batch.times);
      if (tally.compressor() != nullptr) compress(batch, piece, added);
    }
    taken = batch.data.size();
  }

 private:
  void compress(const Batch& batch, const FilePiece& piece, bool added) {
    UnitCompressor& compressor = *tally.compressor();
    auto data = new_bytes(batch, piece);
    if (is_whole(piece)) {
      if (added) tally.add_compressed(compressor.compressed_bytes(data));
      return;
    }
    // Whether it is new shows at its end only, so it is compressed either way.
    compressor.update(data);
    uint64_t bytes = piece.last ? compressor.finish() : 0;
    if (added) tally.add_compressed(bytes);
  }

  // Whether the file is here whole and none of it was seen before.
  bool is_whole(const FilePiece& piece) const {
    return piece.bytes == piece.file_bytes && taken <= piece.offset;
  }
  // Only the first piece may begin with what was here before.
  std::span<const std::byte> new_bytes(const Batch& batch, const FilePiece& piece) const {
    size_t from = std::max(taken, piece.offset);
    return batch.data.subspan(from, piece.offset + piece.bytes - from);
  }

  void hash(const Batch& batch, const FilePiece& piece) {
    auto data = new_bytes(batch, piece);
    if (is_whole(piece)) {
      names_.push_back(Fingerprint::of(data));
      return;
    }
    stream_.update(data);
    if (piece.last) names_.push_back(stream_.finish());
  }

  FingerprintStream stream_;  // of the file that goes on
  std::vector<Fingerprint> names_;
};

class LayerRun final : public SchemeRun {
 public:
  using SchemeRun::SchemeRun;

  void take(const Batch& batch) override {
    auto data = batch.data.subspan(taken);
    bytes_ += data.size();
    if (tally.compressor() != nullptr) tally.compressor()->update(data);
    taken = batch.data.size();
  }

  void end_layer(const Fingerprint& name, uint64_t times) override {
    uint64_t bytes = std::exchange(bytes_, 0);
    if (bytes == 0) return;  // no content: nothing to keep
    bool added = tally.add(name, bytes, times);
    if (tally.compressor() == nullptr) return;
    uint64_t compressed = tally.compressor()->finish();
    if (added) tally.add_compressed(compressed);
  }

 private:
  uint64_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<SchemeRun> make_run(const Scheme& scheme, bool compress) {
  switch (scheme.unit) {
    case SchemeUnit::layer:
      return std::make_unique<LayerRun>(scheme, compress);
    case SchemeUnit::file:
      return std::make_unique<FileRun>(scheme, compress);
    case SchemeUnit::chunk:
      break;
  }
  return std::make_unique<ChunkRun>(scheme, compress);
}

}  // namespace lyr::store
