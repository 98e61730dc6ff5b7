// SPDX-License-Identifier: Apache-2.0
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/sys_file.h"
#include "store/codec.h"
#include "store/pack.h"
#include "store/sum.h"

namespace lyr::store {
namespace {

constexpr size_t scan_block_bytes = 1 << 20;
constexpr uint64_t footer_entries_read = 16384;  // at a time
static_assert(scan_block_bytes % frame_alignment == 0);

}  // namespace

uint64_t footer_seed(const PackTrailer& trailer) {
  return XXH3_64bits(&trailer, offsetof(PackTrailer, checksum));
}

uint64_t footer_checksum(std::span<const PackFooterEntry> entries, const PackTrailer& trailer) {
  return XXH3_64bits_withSeed(entries.data(), entries.size_bytes(), footer_seed(trailer));
}

PackReader::PackReader(Fd file, PackNumber number, uint64_t bytes)
    : file_(std::move(file)), number_(number), bytes_(bytes) {}

Result<PackReader> PackReader::open(const Fd& packs, PackNumber number, uint64_t committed_bytes) {
  std::string name = pack_name(number);
  Fd file = TRY(about(sys::open_at(packs, name.c_str(), O_RDONLY | O_NOFOLLOW), name));
  auto status = TRY(about(sys::stat(file), name));
  if (static_cast<uint64_t>(status.st_size) < committed_bytes)
    return fail(EIO, "pack cut short", name);
  return PackReader(std::move(file), number, committed_bytes);
}

Result<> PackReader::read_at(uint64_t offset, std::span<std::byte> data) const {
  auto read = sys::pread_exactly(file_, data, offset);
  if (!read) return about(std::move(read), pack_name(number_));
  return read;
}

Failure PackReader::damaged(uint64_t offset, const char* what) const {
  return fail(EIO, what, pack_name(number_) + " at " + std::to_string(offset));
}

Result<FrameHeader> PackReader::header(uint64_t offset) const {
  FrameHeader header{};
  if (offset > bytes_ || bytes_ - offset < sizeof header)
    return damaged(offset, "frame past its pack");
  TRY(read_at(offset, std::as_writable_bytes(std::span(&header, 1))));
  if (!frame_header_plausible(header) || header.stored_bytes > bytes_ - offset - sizeof header) {
    return damaged(offset, "damaged frame");
  }
  return header;
}

Result<> PackReader::read_frame(uint64_t offset, const FrameHeader& header,
                                std::span<std::byte> stored) const {
  TRY(read_at(offset + sizeof header, stored));
  if (frame_checksum(header, stored) != header.checksum) return damaged(offset, "damaged frame");
  return {};
}

Result<> PackReader::read_object(uint64_t offset, const FrameHeader& header,
                                 std::span<std::byte> raw) const {
  CHECK(raw.size() == header.raw_bytes);
  if (header.codec == codec_none) return read_frame(offset, header, raw);
  // Not zeroed, and kept: a small object touches a page of it.
  thread_local auto buffer = std::make_unique_for_overwrite<std::byte[]>(object_bytes_max);
  auto stored = std::span(buffer.get(), header.stored_bytes);
  TRY(read_frame(offset, header, stored));
  if (!decompress(stored, raw)) return damaged(offset, "damaged compressed frame");
  return {};
}

Result<size_t> PackReader::read_stretch(uint64_t offset, std::span<std::byte> data) const {
  size_t filled = 0;
  while (filled < data.size()) {
    auto count = sys::pread(file_, data.subspan(filled), offset + filled);
    if (!count) return about(std::move(count), pack_name(number_));
    if (*count == 0) break;
    filled += *count;
  }
  return filled;
}

Result<std::span<const std::byte>> PackReader::check_frame(uint64_t offset, const ObjectId& object,
                                                           uint64_t object_bytes,
                                                           std::span<const std::byte> frame) const {
  FrameHeader header{};
  if (frame.size() < sizeof header + object_bytes) return damaged(offset, "frame past its pack");
  std::memcpy(&header, frame.data(), sizeof header);
  auto stored = frame.subspan(sizeof header, object_bytes);
  if (!frame_header_plausible(header) || header.codec != codec_none ||
      header.stored_bytes != object_bytes || frame_checksum(header, stored) != header.checksum) {
    return damaged(offset, "damaged frame");
  }
  if (std::memcmp(header.sha256, object.sha256.bytes.data(), sizeof header.sha256) != 0) {
    return damaged(offset, "frame of another object");
  }
  return stored;
}

Result<> PackReader::read_part(uint64_t offset, uint64_t part, std::span<std::byte> data) const {
  return read_at(offset + sizeof(FrameHeader) + part, data);
}

Result<bool> PackReader::compacted() const {
  PackHeader header{};
  TRY(read_at(0, std::as_writable_bytes(std::span(&header, 1))));
  if (header.magic != pack_magic) return damaged(0, "damaged pack header");
  return (header.flags & pack_compacted) != 0;
}

Result<PackTrailer> PackReader::trailer() const {
  PackTrailer trailer{};
  if (bytes_ < sizeof(PackHeader) + sizeof trailer) return broken_footer();
  uint64_t end = bytes_ - sizeof trailer;
  TRY(read_at(end, std::as_writable_bytes(std::span(&trailer, 1))));
  if (trailer.magic != footer_magic ||
      trailer.count > (end - sizeof(PackHeader)) / sizeof(PackFooterEntry)) {
    return broken_footer();
  }
  return trailer;
}

Failure PackReader::broken_footer() const {
  return fail(EUCLEAN, "pack footer", pack_name(number_));
}

Result<std::vector<PackFooterEntry>> PackReader::footer() const {
  auto end = TRY(trailer());
  std::vector<PackFooterEntry> entries(end.count);
  auto bytes = std::as_writable_bytes(std::span(entries));
  TRY(read_at(bytes_ - sizeof end - bytes.size(), bytes));
  if (footer_checksum(entries, end) != end.checksum) return broken_footer();
  return entries;
}

Result<> PackReader::each_of_footer(const FooterSink& each) const {
  auto end = TRY(trailer());
  std::vector<PackFooterEntry> some(std::min(end.count, footer_entries_read));
  auto in_pieces = [&](const FooterSink& sink) -> Result<> {
    uint64_t at = bytes_ - sizeof end - end.count * sizeof(PackFooterEntry);
    for (uint64_t left = end.count; left > 0;) {
      auto piece = std::span(some).first(std::min<uint64_t>(some.size(), left));
      TRY(read_at(at, std::as_writable_bytes(piece)));
      TRY(sink(piece));
      at += piece.size_bytes();
      left -= piece.size();
    }
    return {};
  };
  Xxh3 sum(footer_seed(end));
  TRY(in_pieces([&](std::span<const PackFooterEntry> piece) -> Result<> {
    sum.update(std::as_bytes(piece));
    return {};
  }));
  if (sum.finish() != end.checksum) return broken_footer();
  return in_pieces(each);
}

Result<uint64_t> PackReader::next_magic(uint64_t at) const {
  constexpr size_t step = frame_alignment;
  std::vector<std::byte> block(scan_block_bytes);
  for (; at + sizeof(FrameHeader) <= bytes_; at += block.size()) {
    block.resize(std::min<uint64_t>(block.size(), (bytes_ - at) / step * step));
    TRY(read_at(at, block));
    for (size_t i = 0; i < block.size(); i += step) {
      if (std::memcmp(block.data() + i, &frame_magic, sizeof frame_magic) == 0) return at + i;
    }
  }
  return bytes_;
}

Result<std::vector<PackFooterEntry>> PackReader::scan() const {
  std::vector<PackFooterEntry> entries;
  std::vector<std::byte> raw(object_bytes_max);
  uint64_t at = sizeof(PackHeader);
  while (at + sizeof(FrameHeader) <= bytes_) {
    auto found = header(at);
    bool whole = false;
    if (found) {
      auto data = std::span(raw).first(found->raw_bytes);
      // A frame that stands inside of another's payload was not written by us: what it says of its
      // content is not believed.
      whole = read_object(at, *found, data).has_value() &&
              std::ranges::equal(Digest::of(data).bytes, found->sha256);
      if (whole) {
        XXH128_hash_t key = XXH3_128bits(data.data(), data.size());
        entries.push_back({key.low64, key.high64, at, found->raw_bytes, found->stored_bytes});
      }
    }
    uint64_t next = whole ? at + sizeof(FrameHeader) + found->stored_bytes : at + 1;
    at = TRY(next_magic(frame_place(next, 0)));
  }
  return entries;
}

}  // namespace lyr::store
