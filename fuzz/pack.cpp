// SPDX-License-Identifier: Apache-2.0
// Any bytes after a pack's header are frames, a footer, or nothing; none are read past their end,
// and a frame is believed only when its checksum holds. And objects out of any bytes, some of them
// compressed, come back from a pack that is written and sealed, by its footer and without it; after
// a byte of it was changed, each is as it was or is refused, and what the change does not touch is
// still found.
#include "store/pack.h"

#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "fuzz/scratch_directory.h"
#include "store/codec.h"

namespace {

using namespace lyr;
using namespace lyr::store;

constexpr size_t objects_bytes_max = 256 << 10;  // of one pack: many runs rather than large ones

// With one file in it that is written again and again.
struct Packs {
  fuzz::ScratchDirectory directory;
  Fd file = std::move(*sys::open_at(directory.fd(), pack_name(1).c_str(), O_RDWR | O_CREAT, 0600));
};

void read_all(const PackReader& pack, const std::vector<PackFooterEntry>& entries, bool good) {
  std::vector<std::byte> raw(object_bytes_max);
  for (const PackFooterEntry& entry : entries) {
    auto header = pack.header(entry.offset);
    if (good) CHECK(header.has_value());
    if (!header) continue;
    auto read = pack.read_object(entry.offset, *header, std::span(raw).first(header->raw_bytes));
    if (good) CHECK(read.has_value());
  }
}

struct Object {
  ObjectId id;
  std::string raw;
  uint64_t offset = 0;
  uint64_t stored_bytes = 0;
};

// A length of two bytes and a choice: as it is, compressed where that pays, or many times itself.
std::vector<Object> objects_of(std::span<const std::byte> bytes) {
  std::vector<Object> objects;
  size_t total = 0;
  while (bytes.size() >= 3 && total < objects_bytes_max) {
    auto choice = std::to_integer<uint8_t>(bytes[2]);
    size_t length = std::to_integer<size_t>(bytes[0]) | std::to_integer<size_t>(bytes[1]) << 8;
    bytes = bytes.subspan(3);
    auto piece = bytes.first(std::min(length, bytes.size()));
    bytes = bytes.subspan(piece.size());
    Object object;
    for (size_t i = 0; i <= choice / 4u && object.raw.size() < length; ++i) {
      object.raw.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    object.raw.resize(std::min<size_t>(object.raw.size(), object_bytes_max));
    object.id = ObjectId::of(std::as_bytes(std::span(object.raw)));
    total += object.raw.size();
    objects.push_back(std::move(object));
  }
  return objects;
}

void append(PackWriter& writer, Object& object, bool compressed) {
  auto raw = std::as_bytes(std::span(object.raw));
  static Compressor compressor;
  auto stored = compressed ? compressor.compress(raw) : std::nullopt;
  Result<uint64_t> offset(uint64_t{0});
  if (stored) {
    auto header =
        make_frame_header(object.id, codec_zstd, static_cast<uint32_t>(raw.size()), *stored);
    offset = writer.append_frame(object.id, header, *stored);
  } else {
    offset = writer.append(object.id, raw);
  }
  CHECK(offset.has_value());
  object.offset = *offset;
  object.stored_bytes = stored ? stored->size() : raw.size();
}

bool reads_back(const PackReader& pack, const Object& object) {
  auto header = pack.header(object.offset);
  if (!header) return false;
  std::string raw(header->raw_bytes, '\0');
  auto read = pack.read_object(object.offset, *header, std::as_writable_bytes(std::span(raw)));
  if (!read) return false;
  CHECK(raw == object.raw);
  return std::ranges::equal(header->sha256, object.id.sha256.bytes);
}

void check_listed(const std::vector<PackFooterEntry>& entries, const std::vector<Object>& objects) {
  CHECK(entries.size() == objects.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    CHECK(entries[i].offset == objects[i].offset);
    CHECK(entries[i].raw_bytes == objects[i].raw.size());
    CHECK(entries[i].stored_bytes == objects[i].stored_bytes);
    CHECK(entries[i].xxh3_low == objects[i].id.xxh3_low);
    CHECK(entries[i].xxh3_high == objects[i].id.xxh3_high);
  }
}

// With the byte at `at` changed. One in the pack's own header, or in padding, touches no object.
void check_damaged(const Fd& directory, PackNumber number, uint64_t bytes, uint64_t at,
                   const std::vector<Object>& objects) {
  auto file = sys::open_at(directory, pack_name(number).c_str(), O_RDWR);
  std::byte byte{};
  CHECK(file.has_value() && sys::pread_exactly(*file, std::span(&byte, 1), at).has_value());
  byte ^= std::byte{0x40};
  CHECK(sys::pwrite_all(*file, std::span(&byte, 1), at).has_value());
  auto pack = PackReader::open(directory, number, bytes);
  CHECK(pack.has_value());
  auto scanned = pack->scan();
  for (const Object& object : objects) {
    uint64_t end = object.offset + sizeof(FrameHeader) + object.stored_bytes;
    bool touched = at >= object.offset && at < end;
    CHECK(reads_back(*pack, object) == !touched);
    bool found = scanned && std::ranges::any_of(*scanned, [&](const PackFooterEntry& entry) {
                   return entry.offset == object.offset;
                 });
    CHECK(found == !touched);
  }
}

void check_written(const Fd& directory, std::span<const std::byte> bytes) {
  std::vector<Object> objects = objects_of(bytes);
  static PackWrites writes;  // keeps large buffers
  auto writer = PackWriter::create(directory, writes);
  CHECK(writer.has_value());
  bool compressed = false;
  for (Object& object : objects) append(*writer, object, compressed = !compressed);
  auto sealed = writer->seal();
  CHECK(sealed.has_value());
  auto pack = PackReader::open(directory, writer->number(), *sealed);
  CHECK(pack.has_value());
  auto footer = pack->footer();
  auto scanned = pack->scan();
  CHECK(footer.has_value() && scanned.has_value());
  check_listed(*footer, objects);
  check_listed(*scanned, objects);
  for (const Object& object : objects) CHECK(reads_back(*pack, object));
  uint64_t at = bytes.size() < 2 ? 0 : XXH3_64bits(bytes.data(), bytes.size()) % *sealed;
  check_damaged(directory, writer->number(), *sealed, at, objects);
  CHECK(sys::unlink_at(directory, pack_name(writer->number()).c_str()).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Packs packs;
  if (!sys::truncate(packs.file, 0)) return 0;
  if (!sys::pwrite_all(packs.file, std::as_bytes(std::span(data, size)), 0)) return 0;
  check_written(packs.directory.fd(), std::as_bytes(std::span(data, size)));
  auto pack = PackReader::open(packs.directory.fd(), 1, size);
  if (!pack) return 0;
  auto listed = pack->footer();
  if (listed) read_all(*pack, *listed, false);
  auto scanned = pack->scan();
  if (scanned) read_all(*pack, *scanned, true);
  return 0;
}
