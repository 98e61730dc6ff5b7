// SPDX-License-Identifier: Apache-2.0
#include "store/texts.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace lyr::store {

uint64_t Texts::hash_of(std::string_view text) const {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed_);
}

std::optional<uint32_t> Texts::find(std::string_view text) const {
  return index_.find(hash_of(text), [&](uint32_t place) { return at(place) == text; });
}

Result<uint32_t> Texts::add(std::string_view text) {
  if (text.size() > text_bytes_max || text.find('\0') != std::string_view::npos) {
    return fail(EINVAL, "tree", "a text too long, or with NUL");
  }
  if (auto found = find(text)) return *found;
  uint64_t room = pieces_.size() * piece_bytes - bytes_;
  if (text.size() + 1 > room) {
    if (pieces_.size() == UINT32_MAX / piece_bytes) return fail(EFBIG, "tree");
    if (room > 0) std::memset(pieces_.back().get() + bytes_ % piece_bytes, 0, room);
    bytes_ = pieces_.size() * piece_bytes;
    pieces_.push_back(std::make_unique_for_overwrite<char[]>(piece_bytes));
  }
  auto place = static_cast<uint32_t>(bytes_);
  char* to = pieces_.back().get() + place % piece_bytes;
  std::memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
  bytes_ += text.size() + 1;
  index_.insert(hash_of(text), place);
  return place;
}

std::span<const char> Texts::piece(size_t i) const {
  uint64_t from = i * piece_bytes;
  return {pieces_[i].get(), static_cast<size_t>(std::min<uint64_t>(piece_bytes, bytes_ - from))};
}

}  // namespace lyr::store
