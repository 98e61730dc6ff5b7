// SPDX-License-Identifier: Apache-2.0
#include "store/frame_check.h"

#include <xxhash.h>

#include <cstring>
#include <utility>

#include "store/codec.h"
#include "store/frame.h"

namespace lyr::store {

FrameCheck::FrameCheck()
    : unpacked_(std::make_unique_for_overwrite<std::byte[]>(object_bytes_max)) {}

std::span<const std::byte> FrameCheck::object_of(std::span<const std::byte> frame,
                                                 const PackFooterEntry& entry, bool& right) {
  FrameHeader header{};
  std::memcpy(&header, frame.data(), sizeof header);
  auto object = frame.subspan(sizeof header);
  right = frame_header_plausible(header) && header.raw_bytes == entry.raw_bytes &&
          header.stored_bytes == entry.stored_bytes &&
          frame_checksum(header, object) == header.checksum;
  if (right && header.codec != codec_none) {
    auto room = std::span(unpacked_.get(), header.raw_bytes);
    right = decompress(object, room).has_value();
    object = room;
  }
  if (!right) return {};
  XXH128_hash_t key = XXH3_128bits(object.data(), object.size());
  right = key.low64 == entry.xxh3_low && key.high64 == entry.xxh3_high;
  return object;
}

void FrameCheck::add(std::span<const std::byte> frame, const PackFooterEntry& entry) {
  bool right = false;
  auto object = object_of(frame, entry, right);
  FrameHeader header{};
  std::memcpy(&header, frame.data(), sizeof header);
  Claim claim{{}, &entry};
  std::memcpy(claim.sha256.bytes.data(), header.sha256, sizeof header.sha256);
  if (right && header.codec == codec_none) {
    objects_.push_back(object);
    claims_.push_back(claim);
    return;
  }
  if (!right || Digest::of(object) != claim.sha256) bad_.push_back(&entry);
}

std::vector<const PackFooterEntry*> FrameCheck::take_bad() {
  digests_.resize(objects_.size());
  hasher_.begin_messages(objects_, digests_);
  hasher_.finish_messages();
  for (size_t i = 0; i < claims_.size(); ++i) {
    if (digests_[i] != claims_[i].sha256) bad_.push_back(claims_[i].entry);
  }
  objects_.clear();
  claims_.clear();
  return std::exchange(bad_, {});
}

}  // namespace lyr::store
