// SPDX-License-Identifier: Apache-2.0
// A file's content by its extents: as many of them at once as a read touches.
#include <algorithm>
#include <array>

#include "store/store.h"
#include "store/store_state.h"

namespace lyr::store {
namespace {

// Reads them all, and forgets them.
class Parts {
 public:
  explicit Parts(ObjectReader& objects) : objects_(objects) {}

  Result<> add(const Extent& extent, uint64_t from, std::span<std::byte> data) {
    if (count_ == parts_.size()) TRY(read());
    uint64_t in_object = extent.object_offset + (from - extent.file_offset);
    parts_[count_++] = {.object = extent.object,
                        .offset = in_object,
                        .data = data,
                        .object_bytes = extent.object_offset + extent.length};
    return {};
  }

  Result<> read() {
    auto parts = std::span(parts_).first(std::exchange(count_, 0));
    if (parts.size() == 1) {
      parts[0].got = objects_.read(parts[0].object, parts[0].offset, parts[0].data);
    } else {
      objects_.read_parts(parts);
    }
    for (ObjectPart& part : parts) {
      size_t got = TRY(std::move(part.got));
      if (got != part.data.size()) return fail(EIO, "object shorter than its extent");
    }
    return {};
  }

 private:
  ObjectReader& objects_;
  std::array<ObjectPart, batch_parts_max> parts_;
  size_t count_ = 0;
};

}  // namespace

Result<size_t> read_content(const Store::State& state, const Tree& tree, Ino ino, uint64_t offset,
                            std::span<std::byte> data) {
  uint64_t size = tree.attr(ino).size;
  if (offset >= size) return size_t{0};
  data = data.first(std::min<uint64_t>(data.size(), size - offset));
  uint64_t end = offset + data.size();
  uint64_t at = offset;
  uint32_t count = tree.extent_count(ino);
  Parts parts(*state.objects);
  for (uint32_t i = tree.extent_at(ino, offset); i < count && at < end; ++i) {
    Extent extent = tree.extent(ino, i);
    uint64_t from = std::max(at, extent.file_offset);
    uint64_t to = std::min(end, extent.file_offset + extent.length);
    if (from >= to) break;
    std::ranges::fill(data.subspan(at - offset, from - at), std::byte{0});
    TRY(parts.add(extent, from, data.subspan(from - offset, to - from)));
    at = to;
  }
  TRY(parts.read());
  std::ranges::fill(data.subspan(at - offset), std::byte{0});
  return data.size();
}

Result<size_t> Store::read_file(const Tree& tree, Ino ino, uint64_t offset,
                                std::span<std::byte> data) const {
  return read_content(*state_, tree, ino, offset, data);
}

}  // namespace lyr::store
