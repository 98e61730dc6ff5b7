// SPDX-License-Identifier: Apache-2.0
#include <sys/file.h>

#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_random.h"
#include "store/pack.h"

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

PackWriter::PackWriter(Fd file, PackNumber number, PackWrites& writes)
    : file_(std::make_shared<const Fd>(std::move(file))), number_(number), writes_(&writes) {
  buffer_ = writes.spare_buffer();
  buffer_.reserve(buffer_bytes);
  PackHeader header{};
  header.magic = pack_magic;
  header.version = 1;
  header.number = number;
  append_bytes(buffer_, &header, sizeof header);
}

Result<PackWriter> PackWriter::create(const Fd& packs, PackWrites& writes) {
  for (int i = 0; i < claims_max; ++i) {
    // A random number, so that writers need not ask each other (nor a transaction) for the next
    // one.
    PackNumber number = TRY(sys::random_u64());
    std::string name = pack_name(number);
    auto file = sys::open_at(packs, name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file && file.error().code == EEXIST) continue;
    if (!file) return about(Result<PackWriter>(std::unexpected(std::move(file).error())), name);
    TRY(sys::flock(*file, LOCK_EX));
    return PackWriter(std::move(*file), number, writes);
  }
  return fail(EEXIST, "pack number");
}

bool PackWriter::has_room(uint64_t payload_bytes) const {
  uint64_t end = flushed_ + buffer_.size() + payload_alignment + payload_bytes;
  return end + (entries_.size() + 2) * sizeof(PackFooterEntry) <= pack_bytes_max;
}

Result<> PackWriter::pad_to(uint64_t offset) {
  CHECK(offset >= flushed_ + buffer_.size());
  buffer_.resize(offset - flushed_);
  return {};
}

Result<uint64_t> PackWriter::append(const ObjectId& object, std::span<const std::byte> data) {
  uint64_t offset = frame_place(flushed_ + buffer_.size(), data.size());
  TRY(pad_to(offset));
  FrameHeader header = make_frame_header(object, data);
  append_bytes(buffer_, &header, sizeof header);
  append_bytes(buffer_, data.data(), data.size());
  entries_.push_back(
      {object.xxh3_low, object.xxh3_high, offset, header.raw_bytes, header.stored_bytes});
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
  size_t footer_bytes = entries_.size() * sizeof(PackFooterEntry);
  append_bytes(buffer_, entries_.data(), footer_bytes);
  PackTrailer trailer{
      .magic = footer_magic, .count = entries_.size(), .checksum = 0, .reserved = 0};
  trailer.checksum = footer_checksum(entries_, trailer);
  append_bytes(buffer_, &trailer, sizeof trailer);
  TRY(flush());
  TRY(writes_->finish());
  TRY(about(sys::fdatasync(*file_), pack_name(number_)));
  return flushed_;
}

}  // namespace lyr::store
