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
constexpr int claims_max = 100;

template <class Record>
std::span<const std::byte> bytes_of(const Record& record) {
  return std::as_bytes(std::span(&record, 1));
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
  PackHeader header{};
  header.magic = pack_magic;
  header.version = 1;
  header.flags = compacted ? pack_compacted : 0;
  header.number = number;
  buffer_.copy(bytes_of(header));
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

void PackWriter::pad_to(uint64_t offset) {
  CHECK(offset >= flushed_ + buffer_.size());
  buffer_.add_zeros(offset - flushed_ - buffer_.size());
}

Result<uint64_t> PackWriter::begin_frame(const ObjectId& object, const FrameHeader& header) {
  // A compressed payload is never read in place: it needs no alignment.
  uint64_t aligned_bytes = header.codec == codec_none ? header.stored_bytes : 0;
  uint64_t offset = frame_place(flushed_ + buffer_.size(), aligned_bytes);
  pad_to(offset);
  buffer_.copy(bytes_of(header));
  PackFooterEntry entry{object.xxh3_low, object.xxh3_high, offset, header.raw_bytes,
                        header.stored_bytes};
  TRY(entries_.append(bytes_of(entry)));
  return offset;
}

Result<> PackWriter::end_frame() { return buffer_.size() < write_bytes ? Result<>() : flush(); }

Result<uint64_t> PackWriter::append(const ObjectId& object, std::span<const std::byte> data) {
  auto bytes = static_cast<uint32_t>(data.size());
  return append_frame(object, make_frame_header(object, codec_none, bytes, data), data);
}

Result<uint64_t> PackWriter::append_borrowed(const ObjectId& object,
                                             std::span<const std::byte> data, uint16_t flags) {
  auto bytes = static_cast<uint32_t>(data.size());
  auto header = make_frame_header(object, codec_none, bytes, data, flags);
  uint64_t offset = TRY(begin_frame(object, header));
  buffer_.borrow(data);
  TRY(end_frame());
  return offset;
}

Result<uint64_t> PackWriter::append_frame(const ObjectId& object, const FrameHeader& header,
                                          std::span<const std::byte> stored) {
  uint64_t offset = TRY(begin_frame(object, header));
  buffer_.copy(stored);
  TRY(end_frame());
  return offset;
}

Result<> PackWriter::flush() {
  if (buffer_.size() == 0) return {};
  uint64_t at = flushed_;
  flushed_ += buffer_.size();
  auto bytes = std::exchange(buffer_, writes_->spare_buffer());
  return writes_->add(file_, pack_name(number_), at, std::move(bytes));
}

Result<uint64_t> PackWriter::seal() {
  uint64_t end = flushed_ + buffer_.size();
  pad_to((end + frame_alignment - 1) / frame_alignment * frame_alignment);
  PackTrailer trailer{.magic = footer_magic,
                      .count = entries_.bytes() / sizeof(PackFooterEntry),
                      .checksum = 0,
                      .reserved = 0};
  auto view = TRY(entries_.view());
  auto release = [&] { view.mapping.release(); };
  trailer.checksum = xxh3_in_steps(view.bytes, footer_seed(trailer), release);
  for (auto rest = view.bytes; !rest.empty();) {
    auto piece = rest.first(std::min(rest.size(), sum_step_bytes));
    buffer_.copy(piece);
    rest = rest.subspan(piece.size());
    if (buffer_.size() >= write_bytes) TRY(flush());
    release();
  }
  buffer_.copy(bytes_of(trailer));
  TRY(flush());
  TRY(writes_->make_durable(*file_, pack_name(number_)));
  return flushed_;
}

}  // namespace lyr::store
