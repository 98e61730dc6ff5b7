// SPDX-License-Identifier: Apache-2.0
#include "engine/union_mode.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "base/sys_file.h"
#include "engine/process_identity.h"
#include "unionfs/opens.h"
#include "unionfs/ring.h"

namespace lyr::engine {
namespace {

constexpr char refused_file[] = "overlay-refused";  // the boot's id, a space, why
constexpr char union_file[] = "union";              // a mode's name
constexpr size_t mode_note_bytes_max = 4096;

std::string this_boot() {
  auto self = identify(::getpid());
  return self ? self->boot_id : "";
}

// Empty: it was not refused.
std::string refused_why(const Engine::State& engine) {
  auto note = sys::read_file_at(engine.running, refused_file, mode_note_bytes_max);
  if (!note) return {};
  std::string boot = this_boot() + " ";
  return note->starts_with(boot) ? note->substr(boot.size()) : "";
}

// Why overlayfs is out of the question; empty: it is not.
std::string overlayfs_obstacle(const sandbox::IdMap& map) {
  if (map.single) return "with one id only, owners have to be kept as attributes";
  if (::geteuid() == 0 && !is_host_root())
    return "as root of a container, overlayfs's marks cannot be written";
  return {};
}

std::string passthrough_obstacle() {
  if (!is_host_root()) return "it takes root of the host (CAP_SYS_ADMIN)";
  auto has = unionfs::kernel_has_passthrough();
  if (!has) return describe(has.error());
  if (!*has) return "it takes Linux 6.9";
  return {};
}

}  // namespace

bool is_host_root() {
  if (::geteuid() != 0) return false;
  // The initial namespace maps all ids to themselves.
  auto map = sys::read_file_at(sys::cwd(), "/proc/self/uid_map");
  if (!map) return false;
  unsigned long first = 1;
  unsigned long host = 1;
  unsigned long count = 0;
  return std::sscanf(map->c_str(), "%lu %lu %lu", &first, &host, &count) == 3 && first == 0 &&
         host == 0 && count == UINT32_MAX;
}

std::string obstacle(const Engine::State& engine, UnionMode mode, const sandbox::IdMap& map) {
  if (mode == UnionMode::passthrough) return passthrough_obstacle();
  if (mode == UnionMode::io_uring) {
    auto may = unionfs::may_use_ring();
    return may ? std::string() : describe(may.error());
  }
  if (mode == UnionMode::fuse) return {};
  std::string why = overlayfs_obstacle(map);
  if (!why.empty()) return why;
  why = refused_why(engine);
  return why.empty() ? why : "overlayfs was refused: " + why;
}

ChosenUnion choose_union(const Engine::State& engine, const sandbox::IdMap& map) {
  std::string why = obstacle(engine, UnionMode::hybrid, map);
  if (!why.empty()) return {UnionMode::fuse, std::move(why)};
  return {UnionMode::hybrid, "nothing is known that speaks against overlayfs; each start tries it"};
}

Result<ChosenUnion> choose_union(const Engine::State& engine, const ContainerDirectory& directory,
                                 UnionMode asked, const sandbox::IdMap& map) {
  bool automatic = asked == UnionMode::automatic;
  std::string why;
  if (automatic || asked == UnionMode::hybrid) {
    why = overlayfs_obstacle(map);
    auto used = sys::read_file_at(directory.persistent, union_file, mode_note_bytes_max);
    // Marks of ours that a user's overlayfs does not follow may be there.
    if (why.empty() && ::geteuid() != 0 && used && *used != union_mode_name(UnionMode::hybrid))
      why = "it has run without overlayfs, which may not understand what was renamed then";
  } else {
    why = obstacle(engine, asked, map);
  }
  if (automatic && why.empty()) return choose_union(engine, map);
  if (automatic) return ChosenUnion{UnionMode::fuse, std::move(why)};
  if (why.empty()) return ChosenUnion{asked, "it was asked for"};
  std::string name(union_mode_name(asked));
  return fail_saying(ENOTSUP, "--union " + name + " cannot be had: " + why);
}

void note_overlay_refused(const Engine::State& engine, const std::string& why) {
  static_cast<void>(
      sys::replace_file_at(engine.running, refused_file, this_boot() + " " + why, 0600));
}

Result<> note_union(const ContainerDirectory& directory, UnionMode mode) {
  return sys::replace_file_at(directory.persistent, union_file, std::string(union_mode_name(mode)),
                              0600);
}

std::string_view union_mode_name(UnionMode mode) {
  switch (mode) {
    case UnionMode::automatic:
      return "auto";
    case UnionMode::fuse:
      return "fuse";
    case UnionMode::passthrough:
      return "passthrough";
    case UnionMode::io_uring:
      return "io_uring";
    case UnionMode::hybrid:
      return "hybrid";
  }
  return "auto";
}

std::optional<UnionMode> union_mode_of(std::string_view name) {
  for (UnionMode mode : {UnionMode::automatic, UnionMode::fuse, UnionMode::passthrough,
                         UnionMode::io_uring, UnionMode::hybrid}) {
    if (name == union_mode_name(mode)) return mode;
  }
  return std::nullopt;
}

}  // namespace lyr::engine
