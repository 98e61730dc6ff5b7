// SPDX-License-Identifier: Apache-2.0
// A strict streaming tar reader: ustar, v7, GNU (long names, old sparse files, base-256), PAX and
// PAX sparse files 0.0, 0.1 and 1.0. Where tools disagree on what a tar means it fails (EBADMSG,
// naming the entry). Each byte of the stream is given exactly once and in order: to the raw sink,
// or by payload().
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "image/byte_stream.h"
#include "image/tar_entry.h"
#include "image/tar_header.h"
#include "image/tar_pax.h"

namespace lyr::image {

// What may follow the end marker: tools pad archives to their record size.
constexpr uint64_t trailing_bytes_max = 16 << 20;

class TarReader {
 public:
  using RawSink = std::function<Result<>(std::span<const std::byte>)>;

  // Without a sink, what nobody asks for is passed over by ByteSource::skip.
  explicit TarReader(ByteSource& source, RawSink raw = nullptr);

  // The next entry, valid until the next call, or nullptr at the end of the archive. What is left
  // of the payload before goes to the raw sink.
  Result<const TarEntry*> next();
  // The next piece of the entry's stored content; empty: no more.
  Result<std::span<const std::byte>> payload();
  // After next() gave nullptr: passes what follows the archive to the raw sink.
  Result<> finish();

  // Of the next unread byte in the stream.
  uint64_t offset() const { return offset_; }
  // Whether the archive ended with its marker of two zero blocks.
  bool has_end_marker() const { return end_marker_; }

 private:
  struct Pending {  // headers that speak of the entry to come
    std::optional<PaxRecords> pax;
    std::optional<std::string> long_path;
    std::optional<std::string> long_link;
    bool empty() const { return !pax && !long_path && !long_link; }
  };

  Result<const TarEntry*> advance();
  Result<bool> fill();
  Result<bool> read_block();
  Result<std::string> read_text(uint64_t size, uint64_t limit, const char* what);
  Result<> pass(uint64_t count);
  Result<bool> at_end();
  Result<bool> take_extension(const TarHeader& header);
  Result<> begin_entry(const TarHeader& header);
  Result<> set_names(const TarHeader& header);
  Result<> set_attributes(const TarHeader& header);
  Result<> set_type(const TarHeader& header);
  Result<> set_content(const TarHeader& header);
  Result<> read_old_sparse();
  Result<> read_pax_sparse(const PaxSparse& sparse);
  Failure blame(Error error) const;

  ByteSource& source_;
  RawSink raw_;
  std::span<const std::byte> rest_;  // of the piece the source lent
  uint64_t offset_ = 0;
  std::array<std::byte, tar_block_bytes> block_;
  Pending pending_;
  TarEntry entry_;
  std::string where_;
  uint64_t payload_left_ = 0;
  uint64_t padding_left_ = 0;
  bool ended_ = false;
  bool end_marker_ = false;
};

}  // namespace lyr::image
