// SPDX-License-Identifier: Apache-2.0
// GNU tar's sparse files (tar manual, "Storing Sparse Files"): the old header form and the maps of
// PAX format 1.0. A map is checked before anyone acts on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/tar_entry.h"
#include "image/tar_header.h"
#include "store/object.h"
#include "store/store.h"

namespace lyr::image {

// The old GNU form: four segments in the header, more in blocks that follow while `extended`.
struct OldSparse {
  std::vector<SparseSegment> segments;
  uint64_t size = 0;
  bool extended = false;
};
Result<OldSparse> parse_old_sparse(TarBlock header);
// Whether a GNU header has what the old form puts into it, whatever its type.
bool has_old_sparse(TarBlock header);
Result<> add_old_sparse_block(OldSparse& sparse, TarBlock block);

// Format 1.0: decimal numbers, a line each, before the content: their count, then the segments.
class SparseMapParser {
 public:
  // Takes one block; true when the map is complete.
  Result<bool> add(TarBlock block);
  std::vector<SparseSegment> take() { return std::move(segments_); }

 private:
  Result<> add_number(uint64_t number);

  std::string digits_;
  bool counted_ = false;
  uint64_t numbers_left_ = 0;
  bool is_length_ = false;
  std::vector<SparseSegment> segments_;
};

// Segments in order, apart, within `size`, and `stored_bytes` long together.
Result<> check_segments(const std::vector<SparseSegment>& segments, uint64_t size,
                        uint64_t stored_bytes);

// Where the stored content stands in the file: `stored` holds the extents of the segments' bytes
// strung together.
std::vector<store::LayerExtent> spread(const std::vector<SparseSegment>& segments,
                                       std::span<const store::LayerExtent> stored);

}  // namespace lyr::image
