// SPDX-License-Identifier: Apache-2.0
// One 512-byte tar header: v7, ustar (POSIX.1-2017 pax, "ustar Interchange Format"), GNU and star.
// Read strictly: a field that tools read differently is an error, not a guess.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lyr::image {

constexpr size_t tar_block_bytes = 512;
using TarBlock = std::span<const std::byte, tar_block_bytes>;

enum class TarFormat : uint8_t { v7, ustar, gnu, star };

struct TarHeader {
  TarFormat format = TarFormat::v7;
  char type = '0';
  std::string path;  // prefix and name joined
  std::string link_target;
  uint32_t mode = 0;  // 07777
  int64_t uid = 0;
  int64_t gid = 0;
  uint64_t size = 0;
  int64_t mtime_seconds = 0;
  int64_t device_major = 0;
  int64_t device_minor = 0;
};

bool is_zero(TarBlock block);

// EBADMSG with the reason as the subject: wrong checksum, a number out of range.
Result<TarHeader> parse_tar_header(TarBlock block);

// A numeric field: octal text, or GNU base-256 (first bit set; then two's complement).
Result<int64_t> parse_tar_number(std::string_view field, const char* what);

Failure bad_tar(std::string reason);

}  // namespace lyr::image
