// SPDX-License-Identifier: Apache-2.0
#include "unionfs/lower.h"

#include <algorithm>

namespace lyr::unionfs {

Result<Ino> Lower::lookup(Ino directory, std::string_view name) {
  uint32_t index = find(directory, name);
  return index == no_entry ? Result<Ino>(no_ino) : entry_ino(directory, index);
}

Result<size_t> Lower::read(Ino, uint64_t, std::span<std::byte>) const {
  return fail(EINVAL, "read");
}
uint64_t Lower::next_data(Ino, uint64_t offset) const { return offset; }
uint64_t Lower::next_hole(Ino ino, uint64_t) const {
  return static_cast<uint64_t>(status(ino).st_size);
}

bool Lower::clone_into(Ino, const Fd&) const { return false; }
void Lower::keep_copy(Ino, const Fd&) const {}

Result<Ino> lower_directory_at(Lower& lower, std::string_view path) {
  Ino at = root_ino;
  while (!path.empty() && at != no_ino) {
    size_t end = std::min(path.find('/'), path.size());
    if (end > 0) {
      TRY(lower.load(at));
      at = TRY(lower.lookup(at, path.substr(0, end)));
    }
    if (at != no_ino && lower.type(at) != S_IFDIR) at = no_ino;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

std::string lower_path(const Lower& lower, Ino directory) {
  std::vector<std::string_view> names;
  for (Ino at = directory; at != root_ino; at = lower.parent(at)) names.push_back(lower.name(at));
  std::string path = names.empty() ? "/" : "";
  for (size_t left = names.size(); left > 0; --left) path.append("/").append(names[left - 1]);
  return path;
}

}  // namespace lyr::unionfs
