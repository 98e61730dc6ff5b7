// SPDX-License-Identifier: Apache-2.0
#include "unionfs/acl.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/sys_file.h"

namespace lyr::unionfs {
namespace {

struct Entry {
  uint16_t tag = 0;
  uint32_t permissions = 0;  // 0..7
  uint32_t id = 0;           // of ACL_USER and ACL_GROUP
};

bool is_named(const Entry& entry) { return entry.tag == ACL_USER || entry.tag == ACL_GROUP; }

// One of each kind, in the order of their tags, but for the named ones; those want a mask.
Result<> check(const std::vector<Entry>& entries) {
  unsigned seen = 0;
  unsigned last = 0;
  bool named = false;
  for (const Entry& entry : entries) {
    constexpr unsigned known =
        ACL_USER_OBJ | ACL_USER | ACL_GROUP_OBJ | ACL_GROUP | ACL_MASK | ACL_OTHER;
    bool one = std::has_single_bit(entry.tag) && (entry.tag & known) != 0;
    bool again = entry.tag == last && is_named(entry);
    if (!one || (entry.tag <= last && !again)) return fail(EINVAL, "ACL");
    last = entry.tag;
    seen |= entry.tag;
    named = named || is_named(entry);
  }
  constexpr unsigned always = ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER;
  bool whole = (seen & always) == always && (!named || (seen & ACL_MASK) != 0);
  return whole ? Result<>() : fail(EINVAL, "ACL");
}

Result<std::vector<Entry>> entries_of(std::string_view acl) {
  struct posix_acl_xattr_header header{};
  struct posix_acl_xattr_entry raw{};
  if (acl.size() < sizeof header || (acl.size() - sizeof header) % sizeof raw != 0)
    return fail(EINVAL, "ACL");
  std::memcpy(&header, acl.data(), sizeof header);
  if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION) return fail(EINVAL, "ACL");
  std::vector<Entry> entries;
  for (size_t at = sizeof header; at < acl.size(); at += sizeof raw) {
    std::memcpy(&raw, acl.data() + at, sizeof raw);
    entries.push_back({le16toh(raw.e_tag), le16toh(raw.e_perm), le32toh(raw.e_id)});
    if (entries.back().permissions > 7) return fail(EINVAL, "ACL");
  }
  TRY(check(entries));
  return entries;
}

std::string text_of(const std::vector<Entry>& entries) {
  struct posix_acl_xattr_header header{};
  header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  for (const Entry& entry : entries) {
    struct posix_acl_xattr_entry raw{};
    raw.e_tag = htole16(entry.tag);
    raw.e_perm = htole16(static_cast<uint16_t>(entry.permissions));
    raw.e_id = htole32(entry.id);
    text.append(reinterpret_cast<const char*>(&raw), sizeof raw);
  }
  return text;
}

uint32_t mask_of(const std::vector<Entry>& entries) {
  for (const Entry& entry : entries)
    if (entry.tag == ACL_MASK) return entry.permissions;
  return 7;
}

// Takes from an entry what the mode's three bits at `shift` have not, and the other way round.
void limit(Entry& entry, uint32_t& mode, unsigned shift) {
  entry.permissions &= mode >> shift;
  mode &= ~(7U << shift) | (entry.permissions << shift);
}

}  // namespace

bool is_acl(std::string_view name) { return name == access_acl_name || name == default_acl_name; }

Result<> remove_acls(const Fd& object) {
  for (std::string_view name : {access_acl_name, default_acl_name}) {
    auto removed = sys::remove_xattr(object, std::string(name).c_str());
    if (removed || removed.error().code == ENODATA || removed.error().code == EOPNOTSUPP) continue;
    return removed;
  }
  return {};
}

Result<std::string> shown_acl(const Ids& ids, const MappedIds& mapped, std::string_view on_disk) {
  auto entries = TRY(entries_of(on_disk));
  uint32_t others_at_most = 7;
  auto has_no_place = [&](Entry& entry) {
    if (!is_named(entry)) return false;
    bool user = entry.tag == ACL_USER;
    auto has = [&](uint32_t id) { return user ? mapped.has_user(id) : mapped.has_group(id); };
    auto shown = user ? ids.find_user(entry.id) : ids.find_group(entry.id);
    if (shown && has(*shown)) {
      entry.id = *shown;
      return false;
    }
    if (!user) others_at_most &= entry.permissions & mask_of(entries);
    return true;
  };
  std::vector<Entry> kept;
  for (Entry entry : entries)
    if (!has_no_place(entry)) kept.push_back(entry);
  kept.back().permissions &= others_at_most;  // ACL_OTHER
  return text_of(kept);
}

Result<std::string> acl_on_disk(const Ids& ids, std::string_view shown) {
  auto entries = TRY(entries_of(shown));
  for (Entry& entry : entries) {
    if (entry.tag == ACL_USER) entry.id = TRY(ids.user_on_disk(entry.id));
    if (entry.tag == ACL_GROUP) entry.id = TRY(ids.group_on_disk(entry.id));
  }
  return text_of(entries);
}

std::optional<std::string> lower_acl(std::string_view name, std::string_view value, uint32_t mode) {
  auto entries = entries_of(value);
  if (!entries || (name == default_acl_name && !S_ISDIR(mode))) return std::nullopt;
  if (name == default_acl_name) return std::string(value);
  bool masked = std::ranges::find(*entries, ACL_MASK, &Entry::tag) != entries->end();
  for (Entry& entry : *entries) {
    if (entry.tag == ACL_USER_OBJ) entry.permissions = mode >> 6 & 7;
    if (entry.tag == (masked ? ACL_MASK : ACL_GROUP_OBJ)) entry.permissions = mode >> 3 & 7;
    if (entry.tag == ACL_OTHER) entry.permissions = mode & 7;
  }
  return text_of(*entries);
}

Result<uint32_t> give_acl(const Fd& object, std::string_view name, std::string_view acl,
                          const Result<std::string>& shown, uint32_t mode) {
  auto set = shown ? sys::set_xattr(object, std::string(name).c_str(), *shown)
                   : Result<>(fail(EINVAL, "ACL"));
  if (set) return mode;
  // No ACLs there, no such id, no right to, or not so long a one: a full disk is met elsewhere,
  // too.
  static constexpr int cannot[] = {EOPNOTSUPP, EINVAL, EPERM, ENOSPC, E2BIG, ERANGE};
  if (std::ranges::find(cannot, set.error().code) == std::end(cannot))
    return std::unexpected(std::move(set).error());
  return name == access_acl_name ? mode_without_acl(acl, mode) : Result<uint32_t>(mode);
}

Result<uint32_t> mode_without_acl(std::string_view acl, uint32_t mode) {
  auto entries = TRY(entries_of(acl));
  uint32_t mask = mask_of(entries);
  uint32_t group = mask;
  uint32_t others = 7;
  for (const Entry& entry : entries) {
    if (is_named(entry)) others &= entry.permissions & mask;
    if (is_named(entry) || entry.tag == ACL_GROUP_OBJ) group &= entry.permissions;
    if (entry.tag == ACL_OTHER) others &= entry.permissions;
  }
  return mode & (~uint32_t{077} | group << 3 | others);
}

Result<Inherited> inherit_acl(std::string_view default_acl, uint32_t mode) {
  auto entries = TRY(entries_of(default_acl));
  Entry* group = nullptr;
  Entry* mask = nullptr;
  bool more = false;
  for (Entry& entry : entries) {
    if (entry.tag == ACL_USER_OBJ) limit(entry, mode, 6);
    if (entry.tag == ACL_OTHER) limit(entry, mode, 0);
    if (entry.tag == ACL_GROUP_OBJ) group = &entry;
    if (entry.tag == ACL_MASK) mask = &entry;
    more = more || entry.tag == ACL_USER || entry.tag == ACL_GROUP || entry.tag == ACL_MASK;
  }
  limit(mask != nullptr ? *mask : *group, mode, 3);
  return Inherited{mode, more ? text_of(entries) : std::string()};
}

}  // namespace lyr::unionfs
