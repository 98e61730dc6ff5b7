// SPDX-License-Identifier: Apache-2.0
// POSIX ACLs as extended attributes have them (acl(5); Linux,
// include/uapi/linux/posix_acl_xattr.h). The kernel enforces them; what is left to a file system is
// which ids are meant, and what a new object inherits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/ids.h"

namespace lyr::unionfs {

constexpr std::string_view access_acl_name = "system.posix_acl_access";
constexpr std::string_view default_acl_name = "system.posix_acl_default";

bool is_acl(std::string_view name);

// Takes both from an object that is not to have any, nor to pass any on. Where the file system has
// none that is so.
Result<> remove_acls(const Fd& object);

// The same ACL with the ids that a container sees, and those on disk. EINVAL: it is no valid ACL,
// or an id has no place on disk.
//
// What is not shown as one that is `mapped` is left out. As a user it can't ask; of a group
// somebody may still be a member, who then counts among the others: they get no more than the group
// had.
Result<std::string> shown_acl(const Ids& ids, const MappedIds& mapped, std::string_view on_disk);
Result<std::string> acl_on_disk(const Ids& ids, std::string_view shown);

// The ACL `name` of a lower object of that mode (with its type), when its attribute has that value.
// Where the two disagree the mode holds, as after a chmod: images are unpacked in that order. None:
// the value is no valid ACL, or is the default one of what is no directory.
std::optional<std::string> lower_acl(std::string_view name, std::string_view value, uint32_t mode);

// The mode for an object that loses its ACL: nobody may do more by it than before.
Result<uint32_t> mode_without_acl(std::string_view acl, uint32_t mode);

// Gives `object`, whose mode is `mode`, what is shown of an ACL; the result is the mode that it is
// to have: another where it cannot have the ACL, which may be too long for it.
Result<uint32_t> give_acl(const Fd& object, std::string_view name, std::string_view acl,
                          const Result<std::string>& shown, uint32_t mode);

// What an object that is to be made with the permissions of `mode` gets of its directory's default
// ACL, instead of the umask (Linux, fs/posix_acl.c, posix_acl_create).
struct Inherited {
  uint32_t mode = 0;
  std::string access;  // empty: the mode says it all
};
Result<Inherited> inherit_acl(std::string_view default_acl, uint32_t mode);

}  // namespace lyr::unionfs
