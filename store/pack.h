// SPDX-License-Identifier: Apache-2.0
// Packs: append-only files of frames. A writer owns its pack and seals it with a footer that lists
// its objects; a reader trusts nothing it has not checked. What lies past a pack's committed length
// does not exist.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/frame.h"
#include "store/pack_writes.h"
#include "store/spool.h"

namespace lyr::store {

using PackNumber = uint64_t;

constexpr uint64_t pack_bytes_max = 256 << 20;       // a frame that would pass it starts a new pack
constexpr uint64_t pack_magic = 0x314b43415052594c;  // "LYRPACK1"
constexpr uint64_t footer_magic = 0x31544f4f4652594c;  // "LYRFOOT1"

constexpr uint32_t pack_compacted = 1;  // what gains by it is compressed

struct PackHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t flags;
  uint64_t number;
  uint64_t reserved[5];
};
static_assert(sizeof(PackHeader) == 64);

struct PackFooterEntry {
  uint64_t xxh3_low;
  uint64_t xxh3_high;
  uint64_t offset;  // of the frame
  uint32_t raw_bytes;
  uint32_t stored_bytes;
};
static_assert(sizeof(PackFooterEntry) == 32);

struct PackTrailer {  // the last bytes of a sealed pack
  uint64_t magic;
  uint64_t count;     // entries before it
  uint64_t checksum;  // XXH3-64 of the entries, seeded with that of magic and count
  uint64_t reserved;
};
static_assert(sizeof(PackTrailer) == 32);

uint64_t footer_seed(const PackTrailer& trailer);
uint64_t footer_checksum(std::span<const PackFooterEntry> entries, const PackTrailer& trailer);

std::string pack_name(PackNumber number);
// Of a file name in packs/; EINVAL for any other name.
Result<PackNumber> parse_pack_name(std::string_view name);

// Writes one pack. Not thread-safe. Objects become readable with flush() and the end of the writes
// that it added, durable with seal().
class PackWriter {
 public:
  // Claims a number nobody has and holds the file's lock: a sweep takes only packs that nobody
  // holds. `packs` and `writes` outlive the writer.
  static Result<PackWriter> create(const Fd& packs, PackWrites& writes, bool compacted = false);

  PackNumber number() const { return number_; }
  // The locked file: whoever keeps it keeps the pack from being swept until it is committed.
  std::shared_ptr<const Fd> file() const { return file_; }
  bool has_room(uint64_t payload_bytes) const;
  // The frame's offset.
  Result<uint64_t> append(const ObjectId& object, std::span<const std::byte> data);
  // The same without a copy: `data` stays where it is until it has been flushed and these writes
  // are finished. `flags`: the frame's.
  Result<uint64_t> append_borrowed(const ObjectId& object, std::span<const std::byte> data,
                                   uint16_t flags = 0);
  // A frame as it is to be stored: `header` belongs to `stored`. Of `object` only its key is used.
  Result<uint64_t> append_frame(const ObjectId& object, const FrameHeader& header,
                                std::span<const std::byte> stored);
  Result<> flush();
  // Footer, fdatasync; the length to commit. Nothing can be appended afterwards.
  Result<uint64_t> seal();

 private:
  PackWriter(const Fd& packs, Fd file, PackNumber number, PackWrites& writes, bool compacted);
  // The header and what stands before it; the frame's offset. The payload follows.
  Result<uint64_t> begin_frame(const ObjectId& object, const FrameHeader& header);
  Result<> end_frame();
  void pad_to(uint64_t offset);

  std::shared_ptr<const Fd> file_;
  PackNumber number_;
  PackWrites* writes_;
  uint64_t flushed_ = 0;
  PackBytes buffer_;  // what follows flushed_; at most write_bytes plus a frame
  Spool entries_;     // of the footer; there may be millions
};

// Reads one pack. Thread-safe.
class PackReader {
 public:
  // `committed_bytes`: what may be read.
  static Result<PackReader> open(const Fd& packs, PackNumber number, uint64_t committed_bytes);

  const Fd& file() const { return file_; }
  // The header at `offset`; EIO when there is none.
  Result<FrameHeader> header(uint64_t offset) const;
  // The frame's stored bytes, all of them, checked against its header: EIO names the pack.
  Result<> read_frame(uint64_t offset, const FrameHeader& header,
                      std::span<std::byte> stored) const;
  // The frame's object, checked and decompressed: raw.size() is header.raw_bytes.
  Result<> read_object(uint64_t offset, const FrameHeader& header, std::span<std::byte> raw) const;
  // Frames that lie one after the other, for check_frame: less than `data` at the file's end.
  Result<size_t> read_stretch(uint64_t offset, std::span<std::byte> data) const;
  // The object's bytes in `frame`, which was read from `offset` on; EIO names the pack.
  Result<std::span<const std::byte>> check_frame(uint64_t offset, const ObjectId& object,
                                                 uint64_t object_bytes,
                                                 std::span<const std::byte> frame) const;
  // A part of an uncompressed frame that was checked before.
  Result<> read_part(uint64_t offset, uint64_t part, std::span<std::byte> data) const;

  // Whether it was written by a compaction. EIO: its header is damaged.
  Result<bool> compacted() const;
  // The objects by the footer; EUCLEAN when it is damaged or missing.
  Result<std::vector<PackFooterEntry>> footer() const;
  // The same, some at a time: `each` is called only when all of them are good.
  using FooterSink = std::function<Result<>(std::span<const PackFooterEntry>)>;
  Result<> each_of_footer(const FooterSink& each) const;
  // The objects by reading every frame: for a pack whose footer is lost. What is damaged, or was
  // punched out, is passed over.
  Result<std::vector<PackFooterEntry>> scan() const;

 private:
  PackReader(Fd file, PackNumber number, uint64_t bytes);
  Result<PackTrailer> trailer() const;
  Failure broken_footer() const;
  Result<> read_at(uint64_t offset, std::span<std::byte> data) const;
  Failure damaged(uint64_t offset, const char* what) const;
  // Where a frame may stand at or after `at` (a multiple of 8); the pack's end when there is none.
  Result<uint64_t> next_magic(uint64_t at) const;

  Fd file_;
  PackNumber number_;
  uint64_t bytes_;
};

}  // namespace lyr::store
