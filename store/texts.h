// SPDX-License-Identifier: Apache-2.0
// Names and symlink targets, each kept once: one after the other, with a zero byte behind, in
// pieces that never move. Laid end to end the pieces are a tree image's strings, and where a text
// stands in them is its name among ours.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/record_index.h"

namespace lyr::store {

class Texts {
 public:
  static constexpr size_t piece_bytes = 1 << 20;
  static constexpr size_t text_bytes_max = 4096;

  // `seed`: so that nobody can make texts that all hash to one place.
  explicit Texts(uint64_t seed) : seed_(seed) {}

  // Where it stands. EFBIG when there are 4 GiB of them; EINVAL: one too long, or with NUL.
  Result<uint32_t> add(std::string_view text);
  std::optional<uint32_t> find(std::string_view text) const;
  std::string_view at(uint32_t place) const {
    return {pieces_[place / piece_bytes].get() + place % piece_bytes};
  }
  // Nothing can be added or found from here on.
  void drop_index() { index_ = RecordIndex(); }

  uint64_t bytes() const { return bytes_; }
  // Of the pieces laid end to end.
  size_t piece_count() const { return pieces_.size(); }
  std::span<const char> piece(size_t i) const;
  size_t memory_bytes() const { return bytes_ + index_.memory_bytes(); }

 private:
  uint64_t hash_of(std::string_view text) const;

  std::vector<std::unique_ptr<char[]>> pieces_;
  uint64_t bytes_ = 0;
  RecordIndex index_;
  uint64_t seed_;
};

}  // namespace lyr::store
