// SPDX-License-Identifier: Apache-2.0
#include "unionfs/attribute_use.h"

#include <algorithm>

namespace lyr::unionfs {

bool AttributeUse::is_bare(uint64_t directory) const {
  return std::ranges::find(bare_, directory) != bare_.end();
}

bool AttributeUse::begins(uint64_t directory, size_t names) {
  // What this directory's last listing was does not count any more.
  std::ranges::replace(bare_, directory, uint64_t{0});
  if (pause_ > 0) {
    --pause_;
    return true;
  }
  if (names > names_) return true;
  bare_[next_] = directory;
  next_ = (next_ + 1) % remembered;
  if (++alone_ == convinced_after) {
    alone_ = 0;
    names_ = std::min(2 * names_, names_max);
    patience_ = patience_min;
  }
  return false;
}

void AttributeUse::looked_up(uint64_t directory) {
  if (!is_bare(directory)) return;
  bare_.fill(0);
  alone_ = 0;
  names_ = names_min;
  pause_ = patience_;
  patience_ = std::min(2 * patience_, patience_max);
}

}  // namespace lyr::unionfs
