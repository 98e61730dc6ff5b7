// SPDX-License-Identifier: Apache-2.0
#include "image/tar_header.h"

#include <algorithm>
#include <limits>

namespace lyr::image {
namespace {

struct Field {
  size_t offset;
  size_t length;
};
constexpr Field name_field{0, 100};
constexpr Field mode_field{100, 8};
constexpr Field uid_field{108, 8};
constexpr Field gid_field{116, 8};
constexpr Field size_field{124, 12};
constexpr Field mtime_field{136, 12};
constexpr Field checksum_field{148, 8};
constexpr size_t type_offset = 156;
constexpr Field link_field{157, 100};
constexpr Field magic_field{257, 8};  // magic and version
constexpr Field major_field{329, 8};
constexpr Field minor_field{337, 8};
constexpr Field prefix_field{345, 155};
constexpr Field star_prefix_field{345, 131};
constexpr Field star_trailer_field{508, 4};

std::string_view raw(TarBlock block, Field field) {
  return {reinterpret_cast<const char*>(block.data()) + field.offset, field.length};
}

std::string_view text(TarBlock block, Field field) {
  std::string_view all = raw(block, field);
  return all.substr(0, all.find('\0'));
}

Result<> check_sum(TarBlock block) {
  uint64_t as_unsigned = 0;
  int64_t as_signed = 0;  // some old tars summed signed chars
  for (size_t i = 0; i < block.size(); ++i) {
    bool inside = i >= checksum_field.offset && i < checksum_field.offset + checksum_field.length;
    auto value = inside ? std::byte{' '} : block[i];
    as_unsigned += static_cast<uint8_t>(value);
    as_signed += static_cast<int8_t>(value);
  }
  int64_t stored = TRY(parse_tar_number(raw(block, checksum_field), "checksum"));
  if (stored == static_cast<int64_t>(as_unsigned) || stored == as_signed) return {};
  return bad_tar("a header's checksum is wrong (damaged, or not a tar)");
}

Result<TarFormat> format_of(TarBlock block) {
  std::string_view magic = raw(block, magic_field);
  if (magic == std::string_view("ustar  \0", 8)) return TarFormat::gnu;
  if (!magic.starts_with(std::string_view("ustar\0", 6))) {
    // Some take five letters for ustar, prefix and all, others only the whole of it.
    if (magic.starts_with("ustar")) return bad_tar("a header's magic is neither ustar's nor GNU's");
    return TarFormat::v7;
  }
  bool star = raw(block, star_trailer_field) == std::string_view("tar\0", 4);
  return star ? TarFormat::star : TarFormat::ustar;
}

std::string path_of(TarBlock block, TarFormat format) {
  std::string name(text(block, name_field));
  std::string_view prefix;
  if (format == TarFormat::ustar) prefix = text(block, prefix_field);
  if (format == TarFormat::star) prefix = text(block, star_prefix_field);
  return prefix.empty() ? name : std::string(prefix) + "/" + name;
}

Result<int64_t> parse_base256(std::string_view field, const char* what) {
  // The top bit is the mark, the next one the sign.
  bool negative = (static_cast<uint8_t>(field[0]) & 0x40) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  for (size_t i = 0; i < field.size(); ++i) {
    auto byte = static_cast<uint8_t>(field[i]);
    if (i == 0) byte = static_cast<uint8_t>(negative ? byte | 0x80 : byte & 0x7f);
    // What is shifted out, and the sign it leaves, must be sign extension only.
    uint64_t top = value >> 55;
    if (top != (negative ? 0x1ff : 0)) {
      return bad_tar(std::string(what) + " is out of range");
    }
    value = value << 8 | byte;
  }
  return static_cast<int64_t>(value);
}

Result<uint64_t> parse_size(TarBlock block) {
  int64_t size = TRY(parse_tar_number(raw(block, size_field), "size"));
  if (size < 0) return bad_tar("a size is negative");
  return static_cast<uint64_t>(size);
}

}  // namespace

Failure bad_tar(std::string reason) { return fail(EBADMSG, "tar", std::move(reason)); }

bool is_zero(TarBlock block) {
  return std::ranges::all_of(block, [](std::byte value) { return value == std::byte{0}; });
}

Result<int64_t> parse_tar_number(std::string_view field, const char* what) {
  if ((static_cast<uint8_t>(field[0]) & 0x80) != 0) return parse_base256(field, what);
  size_t at = 0;
  while (at < field.size() && field[at] == ' ') ++at;
  int64_t value = 0;  // 12 octal digits are 36 bits: no overflow
  for (; at < field.size() && field[at] >= '0' && field[at] <= '7'; ++at) {
    value = value * 8 + (field[at] - '0');
  }
  for (; at < field.size(); ++at) {
    if (field[at] != ' ' && field[at] != '\0') {
      return bad_tar(std::string(what) + " is not a number");
    }
  }
  return value;
}

Result<TarHeader> parse_tar_header(TarBlock block) {
  TRY(check_sum(block));
  TarHeader header;
  header.format = TRY(format_of(block));
  header.type = static_cast<char>(block[type_offset]);
  header.path = path_of(block, header.format);
  header.link_target = text(block, link_field);
  int64_t mode = TRY(parse_tar_number(raw(block, mode_field), "mode"));
  header.mode = static_cast<uint32_t>(mode & 07777);
  header.uid = TRY(parse_tar_number(raw(block, uid_field), "uid"));
  header.gid = TRY(parse_tar_number(raw(block, gid_field), "gid"));
  header.size = TRY(parse_size(block));
  header.mtime_seconds = TRY(parse_tar_number(raw(block, mtime_field), "mtime"));
  bool device = header.type == '3' || header.type == '4';
  // Others may leave anything in these fields; a v7 header has none.
  if (device && header.format != TarFormat::v7) {
    header.device_major = TRY(parse_tar_number(raw(block, major_field), "device number"));
    header.device_minor = TRY(parse_tar_number(raw(block, minor_field), "device number"));
  }
  return header;
}

}  // namespace lyr::image
