// SPDX-License-Identifier: Apache-2.0
#include "engine/id_map.h"

#include <cstdlib>
#include <string_view>

namespace lyr::engine {
namespace {

// On disk: the container's; shown: the host's.
std::vector<unionfs::IdRange> ranges(const std::vector<sandbox::IdRange>& from) {
  std::vector<unionfs::IdRange> to;
  for (const sandbox::IdRange& range : from)
    to.push_back({.on_disk = range.container, .shown = range.host, .count = range.count});
  return to;
}

}  // namespace

Result<sandbox::ChosenIdMap> choose_map() {
  const char* single = ::getenv("LYR_SINGLE_ID");
  return sandbox::choose_id_map(single != nullptr && std::string_view(single) == "1");
}

unionfs::Ids host_ids(const sandbox::IdMap& map) {
  unionfs::Ids ids;
  ids.users = ranges(map.uids);
  ids.groups = ranges(map.gids);
  return ids;
}

unionfs::MappedIds mapped_ids(const sandbox::IdMap& map) {
  auto of_container = [](std::vector<unionfs::IdRange> from) {
    for (unionfs::IdRange& range : from) range.shown = range.on_disk;
    return from;
  };
  return unionfs::MappedIds::of(of_container(ranges(map.uids)), of_container(ranges(map.gids)));
}

}  // namespace lyr::engine
