// SPDX-License-Identifier: Apache-2.0
// Owners as they are on disk, and as the union shows them. A container with ids of its own needs no
// copy of its files then: the map is applied to each answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace lyr::unionfs {

constexpr uint32_t leave_id = UINT32_MAX;  // for chown: as it is
constexpr uint32_t overflow_id = 65534;    // what has no place in a map is shown as

struct IdRange {
  uint32_t on_disk = 0;
  uint32_t shown = 0;
  uint32_t count = 0;
};

// No ranges: ids are what they are.
class Ids {
 public:
  std::vector<IdRange> users, groups;
  // Every owner is shown as this one; what is new belongs to the server, and chown does nothing.
  std::optional<uint32_t> one_user, one_group;

  bool squashed() const { return one_user.has_value() || one_group.has_value(); }
  uint32_t shown_user(uint32_t id) const { return find_user(id).value_or(overflow_id); }
  uint32_t shown_group(uint32_t id) const { return find_group(id).value_or(overflow_id); }
  // None: it has no place in the map.
  std::optional<uint32_t> find_user(uint32_t id) const {
    return one_user ? one_user : find(users, id);
  }
  std::optional<uint32_t> find_group(uint32_t id) const {
    return one_group ? one_group : find(groups, id);
  }
  // EINVAL: it has no place on disk.
  Result<uint32_t> user_on_disk(uint32_t id) const {
    return one_user ? Result<uint32_t>(leave_id) : on_disk(users, id);
  }
  Result<uint32_t> group_on_disk(uint32_t id) const {
    return one_group ? Result<uint32_t>(leave_id) : on_disk(groups, id);
  }

 private:
  static std::optional<uint32_t> find(const std::vector<IdRange>& ranges, uint32_t id) {
    if (ranges.empty()) return id;
    for (const IdRange& range : ranges) {
      if (id >= range.on_disk && id - range.on_disk < range.count)
        return range.shown + (id - range.on_disk);
    }
    return std::nullopt;
  }
  static Result<uint32_t> on_disk(const std::vector<IdRange>& ranges, uint32_t id) {
    if (ranges.empty()) return id;
    for (const IdRange& range : ranges) {
      if (id >= range.shown && id - range.shown < range.count)
        return range.on_disk + (id - range.shown);
    }
    return fail(EINVAL, "id map");
  }
};

// The ids that a user namespace has. An ACL with any other is an error to the kernel (EINVAL),
// whoever asks.
class MappedIds {
 public:
  MappedIds() = default;            // all
  static Result<MappedIds> here();  // those of our own namespace
  // The ranges' `shown` ones.
  static MappedIds of(std::vector<IdRange> users, std::vector<IdRange> groups);
  // Of texts as in /proc/PID/uid_map and gid_map. EINVAL.
  static Result<MappedIds> parse(std::string_view users, std::string_view groups);
  // As in the initial namespace.
  bool all() const { return has_user(leave_id - 1) && has_group(leave_id - 1); }
  bool has_user(uint32_t id) const { return has(users_, id); }
  bool has_group(uint32_t id) const { return has(groups_, id); }

 private:
  static Result<std::vector<IdRange>> ranges_of(std::string_view map);
  static bool has(const std::vector<IdRange>& ranges, uint32_t id);

  // All but leave_id.
  std::vector<IdRange> users_{{.count = leave_id}}, groups_{{.count = leave_id}};
};

}  // namespace lyr::unionfs
