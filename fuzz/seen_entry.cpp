// SPDX-License-Identifier: Apache-2.0
#include "fuzz/seen_entry.h"

namespace lyr::fuzz {

void ContentText::add(uint64_t offset, std::string_view data) {
  for (char c : data) {
    if (c != '\0') {
      if (offset != end_ || text_.empty()) text_ += "@" + std::to_string(offset) + ":";
      text_ += c;
      end_ = offset + 1;
    }
    ++offset;
  }
}

std::string content_text(const SeenEntry& entry) {
  ContentText text;
  for (const SeenPiece& piece : entry.content) text.add(piece.offset, piece.data);
  return text.take();
}

}  // namespace lyr::fuzz
