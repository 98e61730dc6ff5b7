// SPDX-License-Identifier: Apache-2.0
#include "unionfs/attribute_use.h"

#include <algorithm>

namespace lyr::unionfs {

bool AttributeUse::begins(uint64_t directory, size_t names) {
  bare_.reset(slot(directory));  // what its last listing was does not count any more
  return pause_ > 0 || names > names_;
}

void AttributeUse::found_file(uint64_t directory, bool bare) {
  if (!bare) {
    pause_ = std::max(pause_ - 1, 0);
    return;
  }
  bare_.set(slot(directory));
  ++alone_;
  if (alone_ % grows_after == 0) names_ = std::min(2 * names_, names_max);
  if (alone_ % forgives_after == 0) patience_ = patience_min;
}

void AttributeUse::looked_up(uint64_t directory) {
  if (!bare_[slot(directory)]) return;
  bare_.reset(slot(directory));  // one directory tells once
  alone_ = 0;
  names_ = names_min;
  // Who comes later to others of that time tells nothing new.
  bool again = pause_ == 0;
  if (again) patience_ = std::min(2 * patience_, patience_max);
  pause_ = patience_ / 2;
}

}  // namespace lyr::unionfs
