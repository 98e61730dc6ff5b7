// SPDX-License-Identifier: Apache-2.0
// What can be asked about a container and about this host.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/sys_file.h"
#include "base/sys_read_batch.h"
#include "engine/engine_state.h"
#include "engine/id_map.h"
#include "engine/log_file.h"
#include "engine/make_spec.h"
#include "engine/reconcile.h"
#include "engine/union_mode.h"
#include "sandbox/sandbox.h"
#include "unionfs/changes.h"

namespace lyr::engine {
namespace {

std::string describe_map(const sandbox::IdMap& map) {
  std::string text;
  for (const sandbox::IdRange& range : map.uids) {
    if (!text.empty()) text += ", ";
    text += std::to_string(range.container) + " is " + std::to_string(range.host) + " (" +
            std::to_string(range.count) + ")";
  }
  return text;
}

std::string describe_fuse() {
  auto device = sys::open("/dev/fuse", O_RDWR);
  if (device) return "/dev/fuse can be used";
  return "/dev/fuse cannot be used: " + describe(device.error()) +
         " (load the module with modprobe fuse; make it usable with chmod 0666 /dev/fuse)";
}

std::string describe_reads() {
  auto ring = sys::try_ring();
  if (ring) return "io_uring";
  return "pread; io_uring cannot be used: " + describe(ring.error());
}

// What lyr made itself so that something could be mounted on it, and directories that changed by
// nothing else, their owner and mode neither: no change of the container's (docker has such places
// in a layer of their own).
void drop_mountpoints(const ContainerInfo& info, std::vector<unionfs::Change>& changes) {
  std::set<std::string> mounted{"/dev",       "/proc",         "/sys",
                                "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"};
  for (const VolumeMount& volume : info.options.volumes) mounted.insert(volume.destination);
  for (const TmpfsMount& tmpfs : info.options.tmpfs) mounted.insert(tmpfs.destination);
  std::set<std::string> above;
  std::erase_if(changes, [&](const unionfs::Change& change) {
    if (change.kind != unionfs::ChangeKind::added || !mounted.contains(change.path)) return false;
    std::string path = change.path;
    for (size_t slash; (slash = path.rfind('/')) != path.npos && slash > 0;) {
      path.resize(slash);
      above.insert(path);
    }
    return true;
  });
  // From the bottom up: the list is sorted, so what is below a directory comes later.
  for (size_t i = changes.size(); i-- > 0;) {
    const std::string& path = changes[i].path;
    std::string inside = path + "/";
    auto next = std::ranges::lower_bound(changes, inside, {}, &unionfs::Change::path);
    bool holds = next != changes.end() && next->path.starts_with(inside);
    bool plain = changes[i].kind != unionfs::ChangeKind::deleted && !changes[i].dressed;
    if (plain && above.contains(path) && !holds)
      changes.erase(changes.begin() + static_cast<ptrdiff_t>(i));
  }
}

// A row ends with a NUL, as its path does. An id of -1: there is none.
std::string row_of(const unionfs::Change& change) {
  std::string row(1, static_cast<char>(change.kind));
  auto owner = change.owner.value_or(unionfs::Owner{unionfs::leave_id, unionfs::leave_id});
  for (uint64_t number :
       {uint64_t{change.dressed}, change.links_as, uint64_t{owner.uid}, uint64_t{owner.gid}})
    row += std::to_string(number) + " ";
  return row + change.path + '\0';
}

unionfs::Change change_of(const char* row) {
  unionfs::Change change;
  change.kind = static_cast<unionfs::ChangeKind>(*row++);
  char* at = nullptr;
  change.dressed = std::strtoull(row, &at, 10) != 0;
  change.links_as = std::strtoull(at, &at, 10);
  unionfs::Owner owner;
  owner.uid = static_cast<uint32_t>(std::strtoull(at, &at, 10));
  owner.gid = static_cast<uint32_t>(std::strtoull(at, &at, 10));
  if (owner.uid != unionfs::leave_id) change.owner = owner;
  change.path = at + 1;
  return change;
}

// Which of them a container may ask for.
std::string describe_others(const Engine::State& engine, UnionMode but, const sandbox::IdMap& map) {
  std::string text;
  for (UnionMode mode :
       {UnionMode::hybrid, UnionMode::fuse, UnionMode::passthrough, UnionMode::io_uring}) {
    if (mode == but) continue;
    std::string why = obstacle(engine, mode, map);
    text += (text.empty() ? "" : "; ") + std::string(union_mode_name(mode));
    if (!why.empty()) text += " (not: " + why + ")";
  }
  return text;
}

}  // namespace

Result<> Engine::logs(std::string_view name_or_id, const LogOptions& options,
                      const std::function<bool(const LogLine&)>& each) {
  auto info = TRY(find(name_or_id));
  auto directory = TRY(open_container(*state_, info.id));
  auto running = [&] {
    auto lock = ContainerLock::try_take(directory);
    return !lock && lock.error().code == EWOULDBLOCK;
  };
  return read_log(directory.persistent, options, running, each);
}

Result<std::vector<unionfs::Change>> Engine::diff(std::string_view name_or_id) {
  auto info = TRY(find(name_or_id));
  auto directory = TRY(open_container(*state_, info.id));
  auto* images = TRY(store());
  auto image = TRY(images->image(info.image_id));
  if (!image) return fail_saying(ENOENT, "the image of " + info.name + " is gone");
  auto tree = TRY(images->open_image_tree(image->chain_id));
  Fd upper = TRY(sys::open_at(directory.persistent, "upper", O_RDONLY | O_DIRECTORY));
  auto map = TRY(choose_map());
  auto ownership = map.map.single ? unionfs::Ownership::in_xattr : unionfs::Ownership::real;
  // Files of other ids can only be looked at as their owner: the list comes back through an unnamed
  // file.
  Fd list = TRY(sys::open_unnamed(directory.persistent, O_RDWR, 0600));
  auto write_list = [&]() -> Result<> {
    auto changes = TRY(unionfs::changes(upper, tree, ownership));
    std::string text;
    for (const unionfs::Change& change : changes) text += row_of(change);
    return sys::write_all(list, text);
  };
  TRY(sandbox::run_mapped(map.map, write_list));
  auto status = TRY(sys::stat(list));
  std::string text(static_cast<size_t>(status.st_size), '\0');
  TRY(sys::pread_exactly(list, std::as_writable_bytes(std::span(text)), 0));
  std::vector<unionfs::Change> changes;
  for (size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
    changes.push_back(change_of(text.c_str() + at));
  drop_mountpoints(info, changes);
  return changes;
}

Result<std::vector<std::pair<std::string, std::string>>> Engine::host_facts(UnionMode asked) {
  std::vector<std::pair<std::string, std::string>> facts;
  auto map = TRY(choose_map());
  struct utsname kernel{};
  if (::uname(&kernel) == 0) facts.emplace_back("Kernel", kernel.release);
  facts.emplace_back("Rootless", ::geteuid() == 0 ? "no" : "yes");
  facts.emplace_back("Ids",
                     describe_map(map.map) + (map.why_single.empty() ? "" : "; " + map.why_single));
  facts.emplace_back("Cgroups", sandbox::describe_cgroups());
  facts.emplace_back("FUSE", describe_fuse());
  facts.emplace_back("Store reads", describe_reads());
  auto chosen = choose_union(*state_, map.map);
  if (asked != UnionMode::automatic) {
    std::string why = obstacle(*state_, asked, map.map);
    chosen = {asked, why.empty() ? "it is asked for" : "asked for, but it cannot be had: " + why};
  }
  facts.emplace_back("Union mode",
                     std::string(union_mode_name(chosen.mode)) + " (" + chosen.why + ")");
  facts.emplace_back("Other union modes", describe_others(*state_, chosen.mode, map.map));
  facts.emplace_back("Root", state_->roots.root);
  facts.emplace_back("Run root", state_->roots.run_root);
  return facts;
}

}  // namespace lyr::engine
