// SPDX-License-Identifier: Apache-2.0
#include "unionfs/ids.h"

#include <algorithm>
#include <sstream>

#include "base/sys_file.h"

namespace lyr::unionfs {

Result<std::vector<IdRange>> MappedIds::ranges_of(std::string_view map) {
  std::vector<IdRange> ranges;
  std::istringstream text{std::string(map)};
  uint64_t first = 0;
  uint64_t outside = 0;
  uint64_t count = 0;
  while (text >> first >> outside >> count) {
    if (first > UINT32_MAX || count > UINT32_MAX) return fail(EINVAL, "id map");
    ranges.push_back(
        {.shown = static_cast<uint32_t>(first), .count = static_cast<uint32_t>(count)});
  }
  if (!text.eof()) return fail(EINVAL, "id map");
  return ranges;
}

bool MappedIds::has(const std::vector<IdRange>& ranges, uint32_t id) {
  auto is_in = [&](const IdRange& range) {
    return id >= range.shown && id - range.shown < range.count;
  };
  return std::ranges::any_of(ranges, is_in);
}

MappedIds MappedIds::of(std::vector<IdRange> users, std::vector<IdRange> groups) {
  MappedIds mapped;
  mapped.users_ = std::move(users);
  mapped.groups_ = std::move(groups);
  return mapped;
}

Result<MappedIds> MappedIds::parse(std::string_view users, std::string_view groups) {
  auto user_ranges = TRY(ranges_of(users));
  return of(std::move(user_ranges), TRY(ranges_of(groups)));
}

Result<MappedIds> MappedIds::here() {
  auto users = TRY(sys::read_file_at(sys::cwd(), "/proc/self/uid_map"));
  auto groups = TRY(sys::read_file_at(sys::cwd(), "/proc/self/gid_map"));
  return parse(users, groups);
}

}  // namespace lyr::unionfs
