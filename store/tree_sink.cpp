// SPDX-License-Identifier: Apache-2.0
#include "store/tree_sink.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace lyr::store {

TreeSink::TreeSink(Spool to)
    : to_(std::move(to)),
      buffer_(std::make_unique_for_overwrite<std::array<std::byte, 64 << 10>>()) {
  CHECK(to_.bytes() == 0);
}

Result<TreeSink> TreeSink::begin(const TreeHeader& header, Spool to) {
  TreeSink sink(std::move(to));
  auto bytes = std::as_bytes(std::span(&header, 1));
  TRY(sink.to_.append(bytes.first(tree_checksum_from)));
  sink.given_ = tree_checksum_from;
  sink.promised_ = header.file_bytes;
  TRY(sink.bytes(bytes.subspan(tree_checksum_from)));
  return sink;
}

Result<> TreeSink::flush() {
  auto data = std::span<const std::byte>(*buffer_).first(waiting_);
  sum_.update(data);
  waiting_ = 0;
  return to_.append(data);
}

Result<> TreeSink::bytes(std::span<const std::byte> data) {
  given_ += data.size();
  while (!data.empty()) {
    if (waiting_ == buffer_->size()) TRY(flush());
    size_t count = std::min(data.size(), buffer_->size() - waiting_);
    std::memcpy(buffer_->data() + waiting_, data.data(), count);
    waiting_ += count;
    data = data.subspan(count);
  }
  return {};
}

Result<> TreeSink::pad_to(uint64_t offset) {
  constexpr std::byte zeros[8] = {};
  CHECK(offset >= given_ && offset - given_ <= sizeof zeros);
  return bytes(std::span(zeros).first(offset - given_));
}

Result<Spool> TreeSink::finish() {
  CHECK(given_ == promised_);
  TRY(flush());
  uint64_t checksum = sum_.finish();
  auto bytes = std::as_bytes(std::span(&checksum, 1));
  TRY(to_.patch(offsetof(TreeHeader, checksum), bytes));
  return std::move(to_);
}

}  // namespace lyr::store
