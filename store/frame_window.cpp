// SPDX-License-Identifier: Apache-2.0
#include "store/frame_window.h"

#include <cstring>

#include "base/check.h"

namespace lyr::store {

FrameWindow::FrameWindow(PackSet& packs)
    : packs_(packs), buffer_(std::make_unique_for_overwrite<std::byte[]>(frame_window_bytes)) {
  static_assert(frame_window_bytes >= sizeof(FrameHeader) + object_bytes_max);
}

Result<std::span<const std::byte>> FrameWindow::read(const Place& place, const ObjectId& object,
                                                     uint64_t bytes) {
  CHECK(bytes <= object_bytes_max);
  uint64_t frame_bytes = sizeof(FrameHeader) + bytes;
  bool inside = place.pack == begin_.pack && place.offset >= begin_.offset &&
                place.offset - begin_.offset + frame_bytes <= length_;
  std::span<std::byte> buffer(buffer_.get(), frame_window_bytes);
  if (!inside) {
    length_ = 0;
    pack_ = TRY(packs_.open(place.pack));
    length_ = TRY(pack_->read_stretch(place.offset, buffer));
    begin_ = place;
  }
  auto frame = buffer.first(length_).subspan(place.offset - begin_.offset);
  return pack_->check_frame(place.offset, object, bytes, frame);
}

}  // namespace lyr::store
