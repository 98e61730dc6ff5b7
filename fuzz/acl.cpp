// SPDX-License-Identifier: Apache-2.0
// An image's ACL, after a byte that says which ids there are: an error for each use of it, or what
// is shown is valid, names only ids that are there, and gives nobody more than the image did.
#include "unionfs/acl.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/check.h"

namespace {

using lyr::unionfs::Ids;
using lyr::unionfs::MappedIds;

constexpr uint32_t nobody = UINT32_MAX;

std::span<const struct posix_acl_xattr_entry> entries(const std::string& acl) {
  const char* first = acl.data() + sizeof(struct posix_acl_xattr_header);
  size_t count =
      (acl.size() - sizeof(struct posix_acl_xattr_header)) / sizeof(posix_acl_xattr_entry);
  return {reinterpret_cast<const struct posix_acl_xattr_entry*>(first), count};
}

// What the kernel lets do who is not the owner, is `user` and a member of `groups` but not of the
// object's (Linux, fs/posix_acl.c, posix_acl_permission).
uint32_t allowed(const std::string& acl, uint32_t user, uint32_t group) {
  uint32_t mask = 7;
  std::optional<uint32_t> named, grouped;
  uint32_t others = 0;
  for (const auto& entry : entries(acl)) {
    if (entry.e_tag == ACL_USER && user != nobody && entry.e_id == user && !named)
      named = entry.e_perm;
    if (entry.e_tag == ACL_GROUP && entry.e_id == group)
      grouped = grouped.value_or(0) | entry.e_perm;
    if (entry.e_tag == ACL_MASK) mask = entry.e_perm;
    if (entry.e_tag == ACL_OTHER) others = entry.e_perm;
  }
  if (named) return *named & mask;
  return grouped ? *grouped & mask : others;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lyr::unionfs;
  if (size == 0) return 0;
  std::string acl(reinterpret_cast<const char*>(data) + 1, size - 1);
  Ids ids;
  if ((data[0] & 1) != 0) ids.users = ids.groups = {{.on_disk = 0, .shown = 100, .count = 40}};
  MappedIds mapped;
  if ((data[0] & 2) != 0) {
    mapped = MappedIds::of({{.shown = 90, .count = 30}}, {{.shown = 90, .count = 30}});
  }
  auto shown = shown_acl(ids, mapped, acl);
  auto mode = mode_without_acl(acl, 0777);
  auto inherited = inherit_acl(acl, 0777);
  CHECK(shown.has_value() == mode.has_value() && shown.has_value() == inherited.has_value());
  if (!shown) {
    CHECK(!acl_on_disk(ids, acl));
    return 0;
  }
  for (const auto& entry : entries(*shown)) {
    if (entry.e_tag == ACL_USER) CHECK(mapped.has_user(entry.e_id));
    if (entry.e_tag == ACL_GROUP) CHECK(mapped.has_group(entry.e_id));
  }
  CHECK(shown_acl({}, mapped, *shown).value() == *shown);  // nothing more is left out
  auto back = acl_on_disk(ids, *shown);
  CHECK(back.has_value());
  for (const auto& entry : entries(acl)) {
    uint32_t id = entry.e_id;
    if (entry.e_tag == ACL_GROUP) {
      uint32_t there = ids.find_group(id).value_or(nobody);
      uint32_t now = allowed(*shown, nobody, mapped.has_group(there) ? there : nobody);
      CHECK((now & ~allowed(acl, nobody, id)) == 0);
      CHECK((*mode & 7 & ~allowed(acl, nobody, id)) == 0);
    }
    if (entry.e_tag == ACL_USER && id != nobody) {
      CHECK((*mode & 7 & ~allowed(acl, id, nobody)) == 0);
      CHECK((*mode >> 3 & 7 & ~allowed(acl, id, nobody)) == 0);
    }
  }
  CHECK(inherited->access.empty() || shown_acl({}, {}, inherited->access));
  return 0;
}
