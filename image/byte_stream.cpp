// SPDX-License-Identifier: Apache-2.0
#include "image/byte_stream.h"

#include <algorithm>
#include <cstring>

#include "base/sys_file.h"

namespace lyr::image {
namespace {

// Small on purpose: FileSource walks headers and seeks over what lies between.
constexpr size_t file_source_bytes = 64 << 10;
constexpr size_t block_source_bytes = 256 << 10;
constexpr size_t read_all_step_bytes = 64 << 10;

Failure ended_early() { return fail(ENODATA, "read", "the data ends early (truncated?)"); }

}  // namespace

Result<size_t> FileReader::read(std::span<std::byte> data) {
  if (left_ == 0) return 0;
  data = data.first(std::min<uint64_t>(data.size(), left_));
  size_t count = TRY(sys::pread(*file_, data, offset_));
  if (count == 0) return ended_early();
  offset_ += count;
  left_ -= count;
  return count;
}

Result<size_t> PipeReader::read(std::span<std::byte> data) { return sys::read(pipe_, data); }

Result<size_t> MemoryReader::read(std::span<std::byte> data) {
  size_t count = std::min(data.size(), left_.size());
  if (count > 0) std::memcpy(data.data(), left_.data(), count);
  left_ = left_.subspan(count);
  return count;
}

Result<size_t> DigestReader::read(std::span<std::byte> data) {
  size_t count = TRY(inner_->read(data));
  if (active_) hasher_.update(data.first(count));
  count_ += count;
  return count;
}

Result<std::span<const std::byte>> MemorySource::next() {
  auto piece = left_.first(std::min(left_.size(), piece_bytes_));
  left_ = left_.subspan(piece.size());
  return piece;
}

FileSource::FileSource(std::shared_ptr<const Fd> file, uint64_t length)
    : file_(std::move(file)), length_(length), buffer_(file_source_bytes) {}

Result<std::span<const std::byte>> FileSource::next() {
  std::span<std::byte> data(buffer_);
  data = data.first(std::min<uint64_t>(data.size(), length_ - offset_));
  if (data.empty()) return data;
  size_t count = TRY(sys::pread(*file_, data, offset_));
  if (count == 0) return ended_early();
  offset_ += count;
  return data.first(count);
}

Result<uint64_t> FileSource::skip(uint64_t count) {
  count = std::min(count, length_ - offset_);
  offset_ += count;
  return count;
}

BlockSource::BlockSource(std::unique_ptr<ByteReader> reader)
    : reader_(std::move(reader)), block_(block_source_bytes) {}

Result<std::span<const std::byte>> BlockSource::next() {
  size_t count = TRY(read_up_to(*reader_, block_));
  return std::span<const std::byte>(block_).first(count);
}

Result<size_t> read_up_to(ByteReader& reader, std::span<std::byte> data) {
  size_t filled = 0;
  while (filled < data.size()) {
    size_t count = TRY(reader.read(data.subspan(filled)));
    if (count == 0) break;
    filled += count;
  }
  return filled;
}

Result<std::string> read_all(ByteReader& reader, size_t bytes_max) {
  std::string text;
  while (true) {
    size_t before = text.size();
    // Grown by what comes, never by what a header promises.
    text.resize(before + std::min(read_all_step_bytes, bytes_max + 1 - before));
    auto room = std::as_writable_bytes(std::span(text)).subspan(before);
    size_t count = TRY(read_up_to(reader, room));
    text.resize(before + count);
    if (text.size() > bytes_max) return fail(EFBIG, "read");
    if (count < room.size()) return text;
  }
}

}  // namespace lyr::image
