// SPDX-License-Identifier: Apache-2.0
// POSIX ACLs as attributes have them, for tests.
#pragma once

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lyr::unionfs {

constexpr auto no_id = static_cast<uint32_t>(ACL_UNDEFINED_ID);

struct AclEntry {
  uint16_t tag;
  uint16_t permissions;
  uint32_t id;
};

inline std::string acl_of(const std::vector<AclEntry>& entries) {
  struct posix_acl_xattr_header header{};
  header.a_version = POSIX_ACL_XATTR_VERSION;
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  for (const AclEntry& entry : entries) {
    struct posix_acl_xattr_entry raw{entry.tag, entry.permissions, entry.id};
    text.append(reinterpret_cast<const char*>(&raw), sizeof raw);
  }
  return text;
}

// Of the owner, one other user, the group, at most (mask), and others.
inline std::string acl(uint16_t owner, uint16_t other_user, uint16_t group, uint16_t mask,
                       uint16_t others, uint32_t user = 34) {
  return acl_of({{ACL_USER_OBJ, owner, no_id},
                 {ACL_USER, other_user, user},
                 {ACL_GROUP_OBJ, group, no_id},
                 {ACL_MASK, mask, no_id},
                 {ACL_OTHER, others, no_id}});
}

}  // namespace lyr::unionfs
