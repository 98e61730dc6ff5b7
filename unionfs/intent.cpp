// SPDX-License-Identifier: Apache-2.0
#include "unionfs/intent.h"

#include <linux/fuse.h>

namespace lyr::unionfs {

void note_more(std::span<const std::byte> request, uint32_t opcode) {
  current_request.drops_group_id = false;
  if (opcode != FUSE_SETXATTR) return;
  struct fuse_setxattr_in set{};
  if (request.size() < sizeof(struct fuse_in_header) + sizeof set) return;
  std::memcpy(&set, request.data() + sizeof(struct fuse_in_header), sizeof set);
  current_request.drops_group_id = (set.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0;
}

}  // namespace lyr::unionfs
