// SPDX-License-Identifier: Apache-2.0
#include "store/pack_rewriter.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "base/sys_file.h"
#include "store/codec.h"

namespace lyr::store {
namespace {

constexpr size_t batch_frames_max = 128;  // read, compressed and written together; at most 32 MiB
constexpr unsigned threads_max = 8;

void remove_pack(const Fd& packs, PackNumber number) {
  static_cast<void>(sys::unlink_at(packs, pack_name(number).c_str()));
}

}  // namespace

PackRewriter::~PackRewriter() {
  if (writer_) remove_pack(store_.packs, writer_->number());
  for (const PackRecord& pack : change_.added) remove_pack(store_.packs, pack.number);
}

Result<PackRewriter::Frame> PackRewriter::read(const PackReader& pack,
                                               const PackFooterEntry& entry) const {
  Frame frame;
  frame.key.xxh3_low = entry.xxh3_low;
  frame.key.xxh3_high = entry.xxh3_high;
  frame.header = TRY(pack.header(entry.offset));
  frame.stored.resize(frame.header.stored_bytes);
  TRY(pack.read_frame(entry.offset, frame.header, frame.stored));
  return frame;
}

void PackRewriter::compress(std::vector<Frame>& batch) const {
  if (!compress_) return;
  std::atomic<size_t> next = 0;
  auto work = [&] {
    Compressor compressor;
    for (size_t i = next++; i < batch.size(); i = next++) {
      Frame& frame = batch[i];
      if (frame.header.codec != codec_none) continue;
      auto shorter = compressor.compress(frame.stored);
      if (!shorter) continue;
      std::memcpy(frame.key.sha256.bytes.data(), frame.header.sha256, sizeof frame.header.sha256);
      frame.header = make_frame_header(frame.key, codec_zstd, frame.header.raw_bytes, *shorter,
                                       frame.header.flags);
      frame.stored.assign(shorter->begin(), shorter->end());
    }
  };
  unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, threads_max);
  std::vector<std::jthread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(work);
  work();
}

Result<> PackRewriter::write(const Frame& frame) {
  if (writer_ && !writer_->has_room(frame.stored.size())) TRY(seal());
  if (!writer_) writer_ = TRY(PackWriter::create(store_.packs, writes_, compress_));
  TRY(writer_->append_frame(frame.key, frame.header, frame.stored));
  return {};
}

Result<> PackRewriter::seal() {
  if (!writer_) return {};
  uint64_t bytes = TRY(writer_->seal());
  change_.added.push_back({.number = writer_->number(), .bytes = bytes});
  files_.push_back(writer_->file());
  writer_.reset();
  return {};
}

Result<> PackRewriter::add(const Liveness& liveness, const PackObjects& pack) {
  auto reader = TRY(PackReader::open(store_.packs, pack.record.number, pack.record.bytes));
  auto entries = liveness.entries(pack);
  std::vector<Frame> batch;
  auto flush = [&]() -> Result<> {
    compress(batch);
    for (const Frame& frame : batch) TRY(write(frame));
    batch.clear();
    return {};
  };
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!liveness.live(pack, i)) continue;
    auto frame = TRY(read(reader, entries[i]));
    read_bytes_ += frame.stored.size();
    batch.push_back(std::move(frame));
    if (batch.size() == batch_frames_max) TRY(flush());
  }
  TRY(flush());
  change_.removed.push_back(pack.record.number);
  return {};
}

Result<> PackRewriter::commit() {
  TRY(seal());
  if (change_.removed.empty()) return {};
  if (!change_.added.empty()) TRY(about(sys::fsync(store_.packs), "packs"));
  auto changed = store_.catalog->change_packs(change_);
  if (!changed) {
    // A disk that failed may have kept the transaction: a sweep finds out.
    if (changed.error().code == EIO) change_.added.clear();
    return std::unexpected(std::move(changed).error());
  }
  for (const PackNumber& number : change_.removed) remove_pack(store_.packs, number);
  change_ = {};
  files_.clear();
  read_bytes_ = 0;
  return {};
}

}  // namespace lyr::store
