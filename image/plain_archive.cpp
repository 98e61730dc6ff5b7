// SPDX-License-Identifier: Apache-2.0
#include "image/plain_archive.h"

#include <algorithm>

#include "base/sys_file.h"
#include "image/tar_header.h"

namespace lyr::image {
namespace {

constexpr size_t spool_block_bytes = 1 << 20;

// Before a stream of something else has filled the disk.
Result<> check_beginning(std::span<const std::byte> first) {
  if (first.size() < tar_block_bytes) return {};  // the reader says what it lacks
  auto header = parse_tar_header(first.first<tar_block_bytes>());
  bool zeros = std::ranges::all_of(first, [](std::byte one) { return one == std::byte{0}; });
  if (header && !zeros) return {};
  return fail_saying(EBADMSG, "not an image: it does not begin as a tar archive does");
}

// Writes what `input` stands for, decompressed, to an unnamed file: it is gone with us, whatever
// happens.
Result<PlainArchive> spool(const store::Store& store, std::unique_ptr<ByteReader> input) {
  PlainArchive plain;
  auto decoded = TRY(open_decoded(std::move(input), archive_limits));
  auto file = TRY(store.open_spool());
  std::vector<std::byte> block(spool_block_bytes);
  while (true) {
    size_t count = TRY(read_up_to(*decoded.reader, block));
    if (count == 0) break;
    if (plain.bytes == 0) TRY(check_beginning(std::span(block).first(count)));
    TRY(sys::write_all(file, std::span(block).first(count)));
    plain.bytes += count;
  }
  plain.file = std::make_shared<const Fd>(std::move(file));
  return plain;
}

}  // namespace

Result<PlainArchive> open_plain(const store::Store& store, Fd archive) {
  auto status = TRY(sys::stat(archive));
  if (S_ISDIR(status.st_mode)) return fail(EISDIR, "load");
  PlainArchive plain;
  if (!S_ISREG(status.st_mode)) return spool(store, std::make_unique<PipeReader>(archive));
  auto offset = TRY(sys::seek(archive, 0, SEEK_CUR));
  plain.bytes = static_cast<uint64_t>(status.st_size);
  plain.file = std::make_shared<const Fd>(std::move(archive));
  // Standard input may be a file that something has read from.
  uint64_t left = plain.bytes - std::min(plain.bytes, offset);
  auto input = std::make_unique<FileReader>(plain.file, offset, left);
  auto decoded = TRY(open_decoded(std::move(input), archive_limits));
  if (decoded.compression == Compression::none && offset == 0) return plain;
  return spool(store, std::make_unique<FileReader>(plain.file, offset, left));
}

}  // namespace lyr::image
