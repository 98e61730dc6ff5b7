// SPDX-License-Identifier: Apache-2.0
// A frame: one object as it lies in a pack, behind a header that describes and guards it
// (docs/formats.md, "pack"). A frame needs nothing else to be found and checked.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "store/object.h"

namespace lyr::store {

constexpr uint32_t frame_magic = 0x4652594c;  // "LYRF"
constexpr uint8_t frame_version = 1;
constexpr uint8_t codec_none = 0;  // stored as it is
constexpr uint8_t codec_zstd = 1;  // one zstd frame, shorter than what it stands for

// Written though the store had the object, to lie beside others of its file (store/reuse.h).
constexpr uint16_t frame_beside = 1;

struct FrameHeader {
  uint32_t magic;
  uint8_t version;
  uint8_t codec;
  uint16_t flags;
  uint32_t raw_bytes;
  uint32_t stored_bytes;
  uint8_t sha256[32];  // of the raw bytes
  uint64_t reserved2;
  uint64_t checksum;  // XXH3-64 of the stored bytes, seeded with that of this header at checksum 0
};
static_assert(sizeof(FrameHeader) == 64);

constexpr uint64_t frame_alignment = 8;
// For payloads from aligned_payload_min on, so that a file system can share their blocks. Half a
// block is lost before each: from 16 KiB on that was 3.2 % of a store, most of it before chunks.
constexpr uint64_t payload_alignment = 4096;
constexpr uint64_t aligned_payload_min = 64 << 10;

// `raw_bytes`: the object's size; stored.size() unless `codec` makes it less.
FrameHeader make_frame_header(const ObjectId& object, uint8_t codec, uint32_t raw_bytes,
                              std::span<const std::byte> stored, uint16_t flags = 0);
// Whether the header is one that this version can have written.
bool frame_header_plausible(const FrameHeader& header);
uint64_t frame_checksum(FrameHeader header, std::span<const std::byte> stored);
// Where the next frame's header goes, at `offset` or soon after it.
uint64_t frame_place(uint64_t offset, uint64_t payload_bytes);

}  // namespace lyr::store
