// SPDX-License-Identifier: Apache-2.0
// Parts of several objects, read at once (base/sys_read_batch.h). A frame that was not checked yet
// is read whole, in one go with its header: how long it can be, the caller knows of the object. All
// that does not come out right is left to read(), which looks for another copy. So are objects that
// were checked: most often they come from the page cache, and there a ring is no gain.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/sys_read_batch.h"
#include "store/codec.h"
#include "store/object_reader.h"

namespace lyr::store {
namespace {

// For frames of which a part is wanted: a file's read has one at its beginning and one at its end.
constexpr size_t spare_buffers = 2;

std::span<std::byte> spare_buffer(size_t index) {
  thread_local std::array<ObjectBuffer, spare_buffers> buffers;
  if (!buffers[index]) buffers[index] = make_object_buffer();
  return {buffers[index].get(), object_bytes_max};
}

}  // namespace

struct ObjectReader::Reading {
  ObjectPart* part = nullptr;
  std::shared_ptr<const PackReader> pack;
  Located located;  // where it should be
  FrameHeader header{};
  std::span<std::byte> room;  // where its payload goes; the part's own when all of it is wanted
};

bool ObjectReader::plan(ObjectPart& part, size_t& spare, Reading& reading) {
  if (part.data.empty() || part.object_bytes > object_bytes_max ||
      part.offset > part.object_bytes || part.data.size() > part.object_bytes - part.offset) {
    return false;
  }
  Located located{.epoch = index_.epoch()};
  bool found = false;
  each_place(part.object, [&](const Place& place) {
    auto dropped = dropped_.contains(place, located.epoch);
    located.place = place;
    return found = dropped && !*dropped;
  });
  auto pack = found ? packs_.open(located.place.pack) : fail(ENOENT, "object");
  if (!pack) return false;
  std::span<std::byte> room = part.data;
  if (part.object_bytes > part.data.size()) {
    if (spare == spare_buffers) return false;
    room = spare_buffer(spare++).first(part.object_bytes);
  }
  came_to(located.place);
  reading = {.part = &part, .pack = std::move(*pack), .located = located, .room = room};
  return true;
}

// The object of a frame that has come in, checked, or nothing; compressed, it is in `buffer`.
std::span<std::byte> ObjectReader::object_in(const Reading& reading, size_t got,
                                             const ObjectBuffer& buffer) {
  const FrameHeader& header = reading.header;
  const ObjectId& object = reading.part->object;
  if (got < sizeof header || !frame_header_plausible(header) ||
      std::memcmp(header.sha256, object.sha256.bytes.data(), sizeof header.sha256) != 0 ||
      header.stored_bytes > got - sizeof header) {
    return {};
  }
  auto stored = reading.room.first(header.stored_bytes);
  if (frame_checksum(header, stored) != header.checksum) return {};
  if (header.codec == codec_none) return stored;
  auto raw = std::span(buffer.get(), header.raw_bytes);
  if (!decompress(stored, raw)) return {};
  return raw;
}

bool ObjectReader::take(Reading& reading, size_t got) {
  ObjectPart& part = *reading.part;
  ObjectBuffer& buffer = this_threads_buffer();
  auto object = object_in(reading, got, buffer);
  if (object.size() < part.offset + part.data.size()) return false;
  auto wanted = object.subspan(part.offset, part.data.size());
  if (wanted.data() != part.data.data()) std::ranges::copy(wanted, part.data.begin());
  reading.located.bytes = reading.header.raw_bytes;
  reading.located.compressed = reading.header.codec != codec_none;
  remember(part.object, reading.located);
  if (reading.located.compressed && wanted.size() < object.size()) {
    buffer = unpacked_.keep(part.object, std::move(buffer));
  }
  part.got = part.data.size();
  return true;
}

void ObjectReader::read_parts(std::span<ObjectPart> parts) {
  CHECK(parts.size() <= batch_parts_max);
  std::array<Reading, batch_parts_max> readings;
  std::array<sys::ReadPart, batch_parts_max> asked;
  std::array<ObjectPart*, batch_parts_max> left;
  size_t count = 0;
  size_t left_count = 0;
  size_t spare = 0;
  for (ObjectPart& part : parts) {
    Reading& reading = readings[count];
    auto located = known(part.object);
    bool checked = located && located->epoch == index_.epoch();
    if (checked || !plan(part, spare, reading)) {
      left[left_count++] = &part;
      continue;
    }
    sys::ReadPart& ask = asked[count++];
    ask.file = &reading.pack->file();
    ask.offset = reading.located.place.offset;
    ask.head = std::as_writable_bytes(std::span(&reading.header, 1));
    ask.data = reading.room;
  }
  batches_.read(std::span(asked).first(count));
  for (size_t i = 0; i < count; ++i) {
    if (!asked[i].got || !take(readings[i], *asked[i].got)) left[left_count++] = readings[i].part;
  }
  for (ObjectPart* part : std::span(left).first(left_count)) {
    part->got = read(part->object, part->offset, part->data);
  }
}

}  // namespace lyr::store
