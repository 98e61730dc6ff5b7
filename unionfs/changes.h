// SPDX-License-Identifier: Apache-2.0
// What a union has changed, without mounting it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/tree.h"
#include "unionfs/unionfs.h"

namespace lyr::unionfs {

// What the upper directory changes in the image: docker diff's list, in path order, in O(changes).
enum class ChangeKind : char { added = 'A', changed = 'C', deleted = 'D' };
struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};
struct Change {
  ChangeKind kind = ChangeKind::changed;
  std::string path;  // absolute in the container
  // Of a file with several names: those with the same number are one file. 0: it has one name.
  uint64_t links_as = 0;
  // Of a directory: owner, mode, or an attribute that it has are not the image's; of a new one: not
  // as root's mkdir makes one of 0755. Or it was moved.
  bool dressed = false;
  // With Ownership::in_xattr, where the union shows root: whose it is in the image.
  std::optional<Owner> owner = std::nullopt;
};
// `ownership`: the union's, real or in_xattr. What goes away meanwhile is left out.
Result<std::vector<Change>> changes(const Fd& upper, const store::Tree& tree, Ownership ownership);

}  // namespace lyr::unionfs
