// SPDX-License-Identifier: Apache-2.0
#include <sys/file.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_random.h"
#include "store/pack.h"
#include "store/sum.h"

namespace lyr::store {
namespace {

constexpr size_t write_bytes = 4 << 20;  // per pwrite
constexpr size_t buffer_bytes = write_bytes + object_bytes_max + payload_alignment;
constexpr int claims_max = 100;

void append_bytes(std::vector<std::byte>& buffer, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  buffer.insert(buffer.end(), bytes, bytes + size);
}

}  // namespace

std::string pack_name(PackNumber number) {
  constexpr char digits[] = "0123456789abcdef";
  std::string name(16, '0');
  for (size_t i = 16; i-- > 0; number >>= 4) name[i] = digits[number & 15];
  return name + ".pack";
}

Result<PackNumber> parse_pack_name(std::string_view name) {
  PackNumber number = 0;
  if (name.size() != 21 || !name.ends_with(".pack")) return fail(EINVAL, "pack name");
  for (char c : name.substr(0, 16)) {
    bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) return fail(EINVAL, "pack name");
    number = number << 4 | static_cast<PackNumber>(digit ? c - '0' : c - 'a' + 10);
  }
  return number;
}

PackWriter::PackWriter(const Fd& packs, Fd file, PackNumber number, PackWrites& writes,
                       bool compacted)
    : file_(std::make_shared<const Fd>(std::move(file))),
      number_(number),
      writes_(&writes),
      entries_(packs) {
  buffer_ = writes.spare_buffer();
  buffer_.reserve(buffer_bytes);
  PackHeader header{};
  header.magic = pack_magic;
  header.version = 1;
  header.flags = compacted ? pack_compacted : 0;
  header.number = number;
  append_bytes(buffer_, &header, sizeof header);
}

Result<PackWriter> PackWriter::create(const Fd& packs, PackWrites& writes, bool compacted) {
  for (int i = 0; i < claims_max; ++i) {
    // A random number, so that writers need not ask each other (nor a transaction) for the next
    // one.
    PackNumber number = TRY(sys::random_u64());
    std::string name = pack_name(number);
    auto file = sys::open_at(packs, name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file && file.error().code == EEXIST) continue;
    if (!file) return about(Result<PackWriter>(std::unexpected(std::move(file).error())), name);
    TRY(about(sys::flock(*file, LOCK_EX), name));
    // A sweep may have found it before it was locked, and taken it for a dead writer's.
    auto status = TRY(about(sys::stat(*file), name));
    if (status.st_nlink == 0) continue;
    return PackWriter(packs, std::move(*file), number, writes, compacted);
  }
  return fail(EEXIST, "pack number");
}

bool PackWriter::has_room(uint64_t payload_bytes) const {
  uint64_t end = flushed_ + buffer_.size() + payload_alignment + payload_bytes;
  return end + entries_.bytes() + 2 * sizeof(PackFooterEntry) <= pack_bytes_max;
}

Result<> PackWriter::pad_to(uint64_t offset) {
  CHECK(offset >= flushed_ + buffer_.size());
  buffer_.resize(offset - flushed_);
  return {};
}

Result<uint64_t> PackWriter::append(const ObjectId& object, std::span<const std::byte> data) {
  auto bytes = static_cast<uint32_t>(data.size());
  return append_frame(object, make_frame_header(object, codec_none, bytes, data), data);
}

Result<uint64_t> PackWriter::append_frame(const ObjectId& object, const FrameHeader& header,
                                          std::span<const std::byte> stored) {
  // A compressed payload is never read in place: it needs no alignment.
  uint64_t aligned_bytes = header.codec == codec_none ? stored.size() : 0;
  uint64_t offset = frame_place(flushed_ + buffer_.size(), aligned_bytes);
  TRY(pad_to(offset));
  append_bytes(buffer_, &header, sizeof header);
  append_bytes(buffer_, stored.data(), stored.size());
  PackFooterEntry entry{object.xxh3_low, object.xxh3_high, offset, header.raw_bytes,
                        header.stored_bytes};
  TRY(entries_.append(std::as_bytes(std::span(&entry, 1))));
  if (buffer_.size() >= write_bytes) TRY(flush());
  return offset;
}

Result<> PackWriter::flush() {
  if (buffer_.empty()) return {};
  uint64_t at = flushed_;
  flushed_ += buffer_.size();
  auto bytes = std::exchange(buffer_, writes_->spare_buffer());
  buffer_.reserve(buffer_bytes);
  return writes_->add(file_, pack_name(number_), at, std::move(bytes));
}

Result<uint64_t> PackWriter::seal() {
  uint64_t end = flushed_ + buffer_.size();
  TRY(pad_to((end + frame_alignment - 1) / frame_alignment * frame_alignment));
  PackTrailer trailer{.magic = footer_magic,
                      .count = entries_.bytes() / sizeof(PackFooterEntry),
                      .checksum = 0,
                      .reserved = 0};
  auto view = TRY(entries_.view());
  auto release = [&] { view.mapping.release(); };
  trailer.checksum = xxh3_in_steps(view.bytes, footer_seed(trailer), release);
  for (auto rest = view.bytes; !rest.empty();) {
    auto piece = rest.first(std::min(rest.size(), sum_step_bytes));
    append_bytes(buffer_, piece.data(), piece.size());
    rest = rest.subspan(piece.size());
    if (buffer_.size() >= write_bytes) TRY(flush());
    release();
  }
  append_bytes(buffer_, &trailer, sizeof trailer);
  TRY(flush());
  TRY(writes_->finish());
  TRY(about(sys::fdatasync(*file_), pack_name(number_)));
  return flushed_;
}

}  // namespace lyr::store
