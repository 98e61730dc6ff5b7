// SPDX-License-Identifier: Apache-2.0
// The defragmentation guard (as xet-core's): a few pieces of a large file that the store happens to
// have elsewhere are written again, beside the file's others, so that whoever reads the file goes
// on reading where he is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lyr::store {

constexpr size_t reuse_run_bytes_min = 256 << 10;  // pieces that follow one another in a file
constexpr size_t reuse_percent_above = 25;         // of what is looked at of a file

// One that is a piece of a large file: others of the same file in one look have its number.
struct Piece {
  uint32_t file = 0;
  uint64_t bytes = 0;
  bool here = false;    // the store has it
  bool reused = false;  // and it is taken from there
};

// Says of pieces in their order which are reused. They are looked at as they come, a stretch of a
// file alone: pieces of one file that are looked at later are judged by themselves.
void choose_reused(std::span<Piece> pieces);

}  // namespace lyr::store
