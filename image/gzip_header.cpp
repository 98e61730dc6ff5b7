// SPDX-License-Identifier: Apache-2.0
#include "image/gzip_header.h"

#include <crc.h>

namespace lyr::image {
namespace {

constexpr size_t fixed_bytes = 10;
constexpr uint8_t magic[] = {0x1f, 0x8b, 8};  // 8: deflate, the only method there is
constexpr uint8_t has_checksum = 2;
constexpr uint8_t has_extra = 4;
constexpr uint8_t has_name = 8;
constexpr uint8_t has_comment = 16;
constexpr uint8_t reserved = 0xe0;

Failure bad_header(const char* reason) { return fail(EBADMSG, "gunzip", reason); }

}  // namespace

Result<bool> GzipHeader::take(std::span<const std::byte>& input) {
  while (part_ != Part::end && !input.empty()) {
    TRY(add(std::to_integer<uint8_t>(input.front())));
    input = input.subspan(1);
  }
  return part_ == Part::end;
}

Result<> GzipHeader::add(uint8_t value) {
  if (part_ != Part::checksum) crc_ = crc32_gzip_refl(crc_, &value, 1);
  size_t at = at_++;
  switch (part_) {
    case Part::fixed:
      TRY(add_fixed(value));
      if (at_ == fixed_bytes) next_part();
      return {};
    case Part::extra_length:
      extra_bytes_ |= uint32_t{value} << (8 * at);
      if (at_ == 2) next_part();
      return {};
    case Part::extra:
      if (at_ == extra_bytes_) next_part();
      return {};
    case Part::name:
    case Part::comment:
      if (value == 0) next_part();
      return {};
    case Part::checksum:
      said_crc_ |= uint32_t{value} << (8 * at);
      if (at_ < 2) return {};
      if (said_crc_ != (crc_ & 0xffff)) return bad_header("a gzip header is damaged");
      next_part();
      return {};
    case Part::end:
      return {};
  }
  return {};
}

Result<> GzipHeader::add_fixed(uint8_t value) {
  size_t at = at_ - 1;
  if (at < sizeof magic && value != magic[at]) return bad_header("not valid gzip data (damaged)");
  if (at != sizeof magic) return {};
  // What a reserved flag announces cannot be skipped: RFC 1952 wants it refused.
  if ((value & reserved) != 0) return bad_header("a gzip header has flags that nobody knows");
  flags_ = value;
  return {};
}

// To the next part that the flags announce.
void GzipHeader::next_part() {
  at_ = 0;
  auto is_there = [&] {
    switch (part_) {
      case Part::extra_length:
        return (flags_ & has_extra) != 0;
      case Part::extra:
        return extra_bytes_ > 0;
      case Part::name:
        return (flags_ & has_name) != 0;
      case Part::comment:
        return (flags_ & has_comment) != 0;
      case Part::checksum:
        return (flags_ & has_checksum) != 0;
      default:
        return true;
    }
  };
  do {
    part_ = static_cast<Part>(static_cast<uint8_t>(part_) + 1);
  } while (!is_there());
}

}  // namespace lyr::image
