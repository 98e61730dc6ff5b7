// SPDX-License-Identifier: Apache-2.0
// A gzip member's header (RFC 1952, 2.3), read a piece at a time. igzip reads headers, too, but
// takes reserved flags, and refuses a header with a checksum when it comes in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace lyr::image {

class GzipHeader {
 public:
  // Takes what belongs to the header off `input`; true when the header is complete. EBADMSG: it is
  // damaged.
  Result<bool> take(std::span<const std::byte>& input);

 private:
  enum class Part : uint8_t { fixed, extra_length, extra, name, comment, checksum, end };

  Result<> add(uint8_t value);
  Result<> add_fixed(uint8_t value);
  void next_part();

  Part part_ = Part::fixed;
  uint8_t flags_ = 0;
  size_t at_ = 0;  // in the part
  uint32_t extra_bytes_ = 0;
  uint32_t crc_ = 0;  // of the header so far
  uint32_t said_crc_ = 0;
};

}  // namespace lyr::image
