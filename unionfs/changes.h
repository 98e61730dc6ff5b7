// SPDX-License-Identifier: Apache-2.0
// What a union has changed, without mounting it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/tree.h"

namespace lyr::unionfs {

// What the upper directory changes in the image: docker diff's list, in path order, in O(changes).
enum class ChangeKind : char { added = 'A', changed = 'C', deleted = 'D' };
struct Change {
  ChangeKind kind = ChangeKind::changed;
  std::string path;  // absolute in the container
  // Of a file with several names: those with the same number are one file. 0: it has one name.
  uint64_t links_as = 0;
};
Result<std::vector<Change>> changes(const Fd& upper, const store::Tree& tree);

}  // namespace lyr::unionfs
