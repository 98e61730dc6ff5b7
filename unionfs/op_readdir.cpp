// SPDX-License-Identifier: Apache-2.0
// readdir: a name keeps its cookie as long as the directory is in use, whatever comes and goes
// around it. The lower's names have their index, names of the upper alone follow by a hash of them.
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

// Cookies: 1 ".", 2 "..", then the lower's, then the upper's.
constexpr uint64_t self_cookie = 1;
constexpr uint64_t parent_cookie = 2;
constexpr uint64_t upper_cookie_base = uint64_t{1} << 32;

// False: `each` wants no more.
bool give_bare(const std::function<bool(const Union::Entry&)>& each, std::string_view name,
               uint64_t cookie, uint64_t number, uint32_t type) {
  Union::Entry entry{.name = name, .cookie = cookie, .found = {}};
  entry.found.attr.st_ino = number;
  entry.found.attr.st_mode = type;
  return each(entry);
}

}  // namespace

Result<> Union::readdir(uint64_t id, uint64_t cookie, bool attributes,
                        const std::function<bool(const Entry&)>& each) {
  std::scoped_lock lock(mutex_);
  Node* directory = TRY(find_directory(id));
  TRY(load(*directory));
  uint32_t count = directory->lower == no_ino ? 0 : lower_->entry_count(directory->lower);
  const UpperNames* upper = directory->more().names.get();
  size_t names = count + (upper == nullptr ? 0 : upper->names.size());
  bool all =
      attributes && (cookie == 0 ? attribute_use_.begins(id, names) : attribute_use_.goes_on(id));
  bool told = !attributes || cookie != 0;
  auto tell_of_file = [&](uint32_t type) {
    if (!told && type != S_IFDIR) attribute_use_.found_file(id, !all);
    told = told || type != S_IFDIR;
  };
  // False: `each` wants no more.
  auto give = [&](std::string_view name, uint64_t at, Node* node) -> Result<bool> {
    if (!attributes) {
      bool more = give_bare(each, name, at, nodes_.ino(*node), node->type);
      nodes_.forget(node->id, 0, [this](Node& gone) { let_go(gone); });  // nobody heard of it
      return more;
    }
    if (all) tell_of_file(node->type);
    Entry entry{.name = name, .cookie = at, .found = {}};
    entry.found = describe(*node, TRY(attr(*node)));
    if (!each(entry)) return false;
    nodes_.count(*node);
    return true;
  };
  Node* parent = directory->has_name() ? nodes_.parent(*directory) : directory;
  for (auto [name, at, node] :
       {std::tuple{".", self_cookie, directory}, {"..", parent_cookie, parent}}) {
    if (cookie < at && !give_bare(each, name, at, nodes_.ino(*node), S_IFDIR)) return {};
  }
  if (cookie < upper_cookie_base) {
    uint64_t first = cookie > parent_cookie ? cookie - parent_cookie : 0;
    for (uint64_t i = first; i < count; ++i) {
      auto index = static_cast<uint32_t>(i);
      std::string_view name = lower_->entry_name(directory->lower, index);
      const UpperName* above = directory->above(name);
      if (above != nullptr && above->whiteout) continue;
      Node* node = nodes_.child(*directory, name);
      if (node == nullptr) {
        Shown shown{.in_upper = above != nullptr, .entry = index};
        shown.lower = TRY(lower_->entry_ino(directory->lower, index));
        // Nothing of it is known, and nothing has to be.
        uint32_t type = lower_->type(shown.lower);
        if (above == nullptr && !all && type != S_IFDIR) {
          tell_of_file(type);
          if (!give_bare(each, name, parent_cookie + i + 1, lower_->number(shown.lower), type))
            return {};
          continue;
        }
        node = TRY(node_of(*directory, name, shown));
      }
      if (!TRY(give(name, parent_cookie + i + 1, node))) return {};
    }
    cookie = upper_cookie_base;
  }
  if (upper == nullptr) return {};
  for (auto at = upper->order.upper_bound(cookie - upper_cookie_base); at != upper->order.end();
       ++at) {
    auto above = upper->names.find(at->second);
    if (above->second.whiteout || lower_has(*directory, at->second)) continue;
    Node* node = TRY(child(*directory, at->second));
    if (node == nullptr) continue;
    if (!TRY(give(at->second, upper_cookie_base + at->first, node))) return {};
  }
  return {};
}

}  // namespace lyr::unionfs
