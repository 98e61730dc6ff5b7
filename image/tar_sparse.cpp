// SPDX-License-Identifier: Apache-2.0
#include "image/tar_sparse.h"

#include <algorithm>

#include "image/tar_pax.h"

namespace lyr::image {
namespace {

constexpr size_t number_bytes = 12;
constexpr size_t header_segments_offset = 386;
constexpr size_t header_segments = 4;
constexpr size_t header_extended_offset = 482;
constexpr size_t header_size_offset = 483;
constexpr size_t block_segments = 21;
constexpr size_t block_extended_offset = 504;
constexpr size_t map_digits_max = 20;

Result<uint64_t> number_at(TarBlock block, size_t offset) {
  const char* field = reinterpret_cast<const char*>(block.data()) + offset;
  int64_t number = TRY(parse_tar_number({field, number_bytes}, "a sparse map's number"));
  if (number < 0) return bad_tar("a sparse map has a negative number");
  return static_cast<uint64_t>(number);
}

Result<> add_segments(OldSparse& sparse, TarBlock block, size_t offset, size_t count) {
  for (size_t i = 0; i < count; ++i, offset += 2 * number_bytes) {
    if (block[offset] == std::byte{0}) break;  // unused from here on
    SparseSegment segment;
    segment.offset = TRY(number_at(block, offset));
    segment.length = TRY(number_at(block, offset + number_bytes));
    if (sparse.segments.size() == sparse_segments_max) return bad_tar("too many sparse segments");
    sparse.segments.push_back(segment);
  }
  return {};
}

}  // namespace

Result<OldSparse> parse_old_sparse(TarBlock header) {
  OldSparse sparse;
  TRY(add_segments(sparse, header, header_segments_offset, header_segments));
  sparse.size = TRY(number_at(header, header_size_offset));
  sparse.extended = header[header_extended_offset] != std::byte{0};
  return sparse;
}

bool has_old_sparse(TarBlock header) {
  return header[header_segments_offset] != std::byte{0} ||
         header[header_size_offset] != std::byte{0};
}

Result<> add_old_sparse_block(OldSparse& sparse, TarBlock block) {
  size_t before = sparse.segments.size();
  TRY(add_segments(sparse, block, 0, block_segments));
  sparse.extended = block[block_extended_offset] != std::byte{0};
  // Without this, empty blocks that each announce another would cost nothing and never end.
  if (sparse.extended && sparse.segments.size() != before + block_segments) {
    return bad_tar("a sparse map goes on after its end");
  }
  return {};
}

Result<bool> SparseMapParser::add(TarBlock block) {
  for (std::byte value : block) {
    char c = static_cast<char>(value);
    if (c != '\n') {
      if (digits_.size() == map_digits_max) return bad_tar("a sparse map's number is too long");
      digits_.push_back(c);
      continue;
    }
    uint64_t number = TRY(parse_decimal(digits_, "a sparse map's number"));
    digits_.clear();
    TRY(add_number(number));
    if (counted_ && numbers_left_ == 0) return true;  // the rest of the block is padding
  }
  return false;
}

Result<> SparseMapParser::add_number(uint64_t number) {
  if (!counted_) {
    if (number > sparse_segments_max) return bad_tar("too many sparse segments");
    counted_ = true;
    numbers_left_ = 2 * number;
    return {};
  }
  --numbers_left_;
  if (is_length_) {
    segments_.back().length = number;
  } else {
    segments_.push_back({.offset = number, .length = 0});
  }
  is_length_ = !is_length_;
  return {};
}

Result<> check_segments(const std::vector<SparseSegment>& segments, uint64_t size,
                        uint64_t stored_bytes) {
  if (size > file_bytes_max) return bad_tar("a sparse file is too large");
  uint64_t end = 0;
  uint64_t total = 0;
  for (const SparseSegment& segment : segments) {
    if (segment.offset < end || segment.offset > size || segment.length > size - segment.offset) {
      return bad_tar("a sparse map's segments overlap or leave the file");
    }
    end = segment.offset + segment.length;
    total += segment.length;
  }
  if (total != stored_bytes) return bad_tar("a sparse map does not fit the stored content");
  return {};
}

std::vector<store::LayerExtent> spread(const std::vector<SparseSegment>& segments,
                                       std::span<const store::LayerExtent> stored) {
  std::vector<store::LayerExtent> extents;
  size_t at = 0;
  uint64_t segment_start = 0;  // in the stored content
  for (const SparseSegment& segment : segments) {
    uint64_t segment_end = segment_start + segment.length;
    while (at < stored.size() && stored[at].file_offset + stored[at].length <= segment_start) ++at;
    for (size_t i = at; i < stored.size() && stored[i].file_offset < segment_end; ++i) {
      uint64_t from = std::max(stored[i].file_offset, segment_start);
      uint64_t to = std::min(stored[i].file_offset + stored[i].length, segment_end);
      if (to <= from) continue;
      extents.push_back({.file_offset = segment.offset + (from - segment_start),
                         .length = to - from,
                         .object_offset = stored[i].object_offset + (from - stored[i].file_offset),
                         .object = stored[i].object});
    }
    segment_start = segment_end;
  }
  return extents;
}

}  // namespace lyr::image
