// SPDX-License-Identifier: Apache-2.0
#include "store/frame.h"

#include <xxhash.h>

#include <cstring>
#include <memory>

#include "base/check.h"

namespace lyr::store {

FrameHeader make_frame_header(const ObjectId& object, uint8_t codec, uint32_t raw_bytes,
                              std::span<const std::byte> stored, uint16_t flags) {
  CHECK(raw_bytes <= object_bytes_max);
  FrameHeader header{};
  header.magic = frame_magic;
  header.version = frame_version;
  header.codec = codec;
  header.flags = flags;
  header.raw_bytes = raw_bytes;
  header.stored_bytes = static_cast<uint32_t>(stored.size());
  std::memcpy(header.sha256, object.sha256.bytes.data(), sizeof header.sha256);
  CHECK(frame_header_plausible(header));
  header.checksum = frame_checksum(header, stored);
  return header;
}

bool frame_header_plausible(const FrameHeader& header) {
  bool sizes = header.codec == codec_none   ? header.stored_bytes == header.raw_bytes
               : header.codec == codec_zstd ? header.stored_bytes < header.raw_bytes
                                            : false;
  return header.magic == frame_magic && header.version == frame_version && sizes &&
         header.raw_bytes <= object_bytes_max;
}

uint64_t frame_checksum(FrameHeader header, std::span<const std::byte> stored) {
  header.checksum = 0;
  uint64_t seed = XXH3_64bits(&header, sizeof header);
  return XXH3_64bits_withSeed(stored.data(), stored.size(), seed);
}

uint64_t frame_place(uint64_t offset, uint64_t payload_bytes) {
  if (payload_bytes < aligned_payload_min) {
    return (offset + frame_alignment - 1) / frame_alignment * frame_alignment;
  }
  uint64_t payload = offset + sizeof(FrameHeader);
  payload = (payload + payload_alignment - 1) / payload_alignment * payload_alignment;
  return payload - sizeof(FrameHeader);
}

}  // namespace lyr::store
