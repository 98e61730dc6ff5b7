// SPDX-License-Identifier: Apache-2.0
#include "store/reuse.h"

#include <algorithm>

namespace lyr::store {
namespace {

// The pieces at the beginning that are like the first one.
template <class Like>
std::span<Piece> run_of(std::span<Piece> pieces, const Like& like) {
  auto end = std::ranges::find_if_not(pieces, like);
  return pieces.first(static_cast<size_t>(end - pieces.begin()));
}

uint64_t bytes_in(std::span<const Piece> pieces) {
  uint64_t bytes = 0;
  for (const Piece& piece : pieces) bytes += piece.bytes;
  return bytes;
}

void choose_in_file(std::span<Piece> pieces) {
  uint64_t here = 0;
  for (const Piece& piece : pieces) here += piece.here ? piece.bytes : 0;
  bool all = here * 100 > bytes_in(pieces) * reuse_percent_above;
  while (!pieces.empty()) {
    auto run = run_of(pieces, [&](const Piece& p) { return p.here == pieces.front().here; });
    bool reused = run.front().here && (all || bytes_in(run) >= reuse_run_bytes_min);
    for (Piece& piece : run) piece.reused = reused;
    pieces = pieces.subspan(run.size());
  }
}

}  // namespace

void choose_reused(std::span<Piece> pieces) {
  while (!pieces.empty()) {
    auto file = run_of(pieces, [&](const Piece& p) { return p.file == pieces.front().file; });
    choose_in_file(file);
    pieces = pieces.subspan(file.size());
  }
}

}  // namespace lyr::store
