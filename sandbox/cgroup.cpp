// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "sandbox/cgroup_limits.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/sandbox.h"

namespace lyr::sandbox {
namespace {

constexpr int remove_tries_max = 200;  // a killed process leaves its cgroup some time later

bool is_safe_id(const std::string& id) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !id.empty() && id.size() <= 128 && id[0] != '.' &&
         std::all_of(id.begin(), id.end(), allowed);
}

// Where lyr's directory may be in a hierarchy: the top, or else as high above us as we may write
// (a delegated tree), down to our own cgroup.
std::vector<std::string> bases(const MountTable& mounts, const CgroupHierarchy& hierarchy) {
  std::vector<std::string> found;
  auto mount = mounts.find(hierarchy);
  if (!mount) return found;
  found.push_back(mount->directory);
  for (size_t slash = 0; slash != std::string::npos && hierarchy.path != "/";) {
    slash = hierarchy.path.find('/', slash + 1);
    auto directory = directory_of(*mount, hierarchy.path.substr(0, slash));
    if (directory && *directory != found.back()) found.push_back(*directory);
  }
  return found;
}

// Makes base/lyr/id and hands the path back; the error is that of the lowest base. `controllers`:
// of version 2, it is to have them.
Result<std::string> make_directory(const MountTable& mounts, const CgroupHierarchy& hierarchy,
                                   const std::string& id, bool controllers) {
  Result<std::string> made = fail(ENOENT, "find a cgroup mount");
  for (const std::string& base : bases(mounts, hierarchy)) {
    Fd directory = TRY(about(sys::open(base.c_str(), O_PATH | O_DIRECTORY), base));
    auto done = sys::mkdir_all_at(directory, "lyr/" + id, 0755);
    if (done) {
      if (controllers) enable_controllers(directory);
      return base + "/lyr/" + id;
    }
    made = about(Result<std::string>(std::unexpected(std::move(done).error())), base);
  }
  return made;
}

bool wants(const CgroupHierarchy& hierarchy, const std::vector<Limit>& limits) {
  return std::any_of(limits.begin(), limits.end(), [&](const Limit& limit) {
    return std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(),
                     limit.controller) != hierarchy.controllers.end();
  });
}

void warn_unset(const std::vector<Limit>& limits, const CgroupHierarchy* hierarchy,
                const std::string& why, std::vector<std::string>& warnings) {
  std::string last;
  for (const Limit& limit : limits) {
    bool concerned = hierarchy == nullptr || hierarchy->unified || wants(*hierarchy, {limit});
    if (!concerned || limit.optional || limit.what == last) continue;
    last = limit.what;
    warnings.push_back("the " + last + " limit is not in force: " + why);
  }
}

Result<> use_hierarchy(const MountTable& mounts, const CgroupHierarchy& hierarchy, const Spec& spec,
                       const std::vector<Limit>& limits, Cgroups& cgroups,
                       std::vector<std::string>& warnings) {
  auto made = make_directory(mounts, hierarchy, spec.id, hierarchy.unified);
  if (!made) {
    warn_unset(limits, &hierarchy,
               "no cgroup rights (" + describe(made.error()) +
                   "): run it as root, or from a session with a cgroup of its own (on systemd: "
                   "systemd-run --user --scope -p Delegate=yes)",
               warnings);
    return {};
  }
  cgroups.made.push_back(*made);
  Fd directory = TRY(sys::open(made->c_str(), O_RDONLY | O_DIRECTORY));
  for (const Limit& limit : limits) {
    if (!hierarchy.unified && !wants(hierarchy, {limit})) continue;
    auto set = write_limit(directory, limit, hierarchy.unified);
    if (!set && !limit.optional) warn_unset({limit}, nullptr, describe(set.error()), warnings);
  }
  cgroups.hierarchies.push_back(hierarchy.directory_name());
  if (hierarchy.unified) {
    cgroups.unified = std::move(directory);
  } else {
    cgroups.directories.push_back(*made);
  }
  return {};
}

// Beside v1's controllers version 2 has none, but its cgroups can be frozen (sandbox/freeze.h).
// Without one a container runs as well.
void use_bare_hierarchy(const MountTable& mounts, const CgroupHierarchy& hierarchy,
                        const std::string& id, Cgroups& cgroups) {
  auto made = make_directory(mounts, hierarchy, id, false);
  if (!made) return;
  cgroups.made.push_back(*made);
  auto directory = sys::open(made->c_str(), O_RDONLY | O_DIRECTORY);
  if (!directory) return;
  cgroups.unified = std::move(*directory);
  cgroups.spare = true;
}

// "/sys/fs/cgroup/x/lyr/id" of every base that has it.
std::vector<std::string> existing(const Spec& spec) {
  std::vector<std::string> found;
  auto hierarchies = read_cgroup_hierarchies();
  auto mounts = MountTable::read();
  if (!hierarchies || !mounts || !is_safe_id(spec.id)) return found;
  for (const CgroupHierarchy& hierarchy : *hierarchies) {
    for (const std::string& base : bases(*mounts, hierarchy)) {
      std::string path = base + "/lyr/" + spec.id;
      auto there = sys::exists_at(sys::cwd(), path.c_str());
      if (there && *there) found.push_back(path);
    }
  }
  return found;
}

// Kills what is in the directory: in one go on v2, else one by one, by pidfd and rechecked.
void kill_members(const std::string& path) {
  auto kill_file = sys::open((path + "/cgroup.kill").c_str(), O_WRONLY);
  if (kill_file && sys::write_all(*kill_file, "1")) return;
  auto text = sys::read_file_at(sys::cwd(), (path + "/cgroup.procs").c_str());
  if (!text) return;
  for (size_t at = 0; at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    auto pidfd = sys::pidfd_open(static_cast<pid_t>(std::atoi(line.c_str())));
    if (!pidfd) continue;
    auto again = sys::read_file_at(sys::cwd(), (path + "/cgroup.procs").c_str());
    if (again && ("\n" + *again).find("\n" + line + "\n") != std::string::npos)
      static_cast<void>(sys::pidfd_send_signal(*pidfd, SIGKILL));
  }
}

Result<> remove_directory(const std::string& path) {
  auto removed = sys::unlink_at(sys::cwd(), path.c_str(), AT_REMOVEDIR);
  for (int tries = 0; !removed && removed.error().code == EBUSY && tries < remove_tries_max;
       ++tries) {
    kill_members(path);
    TRY(sys::nap(1));
    removed = sys::unlink_at(sys::cwd(), path.c_str(), AT_REMOVEDIR);
  }
  if (!removed && removed.error().code != ENOENT) return about(std::move(removed), path);
  // The last container takes lyr's own directory with it; ENOTEMPTY when it was not the last.
  std::string parent = path.substr(0, path.rfind('/'));
  static_cast<void>(sys::unlink_at(sys::cwd(), parent.c_str(), AT_REMOVEDIR));
  return {};
}

}  // namespace

Result<Cgroups> make_cgroups(const Spec& spec, std::vector<std::string>& warnings) {
  Cgroups cgroups;
  if (!is_safe_id(spec.id)) return fail(EINVAL, "container id", spec.id);
  auto limits = limits_of(spec.resources);
  auto hierarchies = TRY(read_cgroup_hierarchies());
  std::optional<MountTable> mounts;  // read when there is something to make
  std::vector<Limit> left = limits;
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (!hierarchy.unified && !wants(hierarchy, limits)) continue;
    if (!mounts) mounts = TRY(MountTable::read());
    if (hierarchy.unified && hierarchies.size() > 1) {
      use_bare_hierarchy(*mounts, hierarchy, spec.id, cgroups);
      continue;
    }
    auto used = use_hierarchy(*mounts, hierarchy, spec, limits, cgroups, warnings);
    if (!used) {
      static_cast<void>(remove_cgroups(cgroups.made));
      return std::unexpected(std::move(used).error());
    }
    std::erase_if(
        left, [&](const Limit& limit) { return hierarchy.unified || wants(hierarchy, {limit}); });
  }
  warn_unset(left, nullptr, "this kernel has no such cgroup controller mounted", warnings);
  return cgroups;
}

Result<> enter_cgroups(const Cgroups& cgroups, pid_t pid) {
  for (const std::string& directory : cgroups.directories) {
    std::string path = directory + "/cgroup.procs";
    Fd file = TRY(about(sys::open(path.c_str(), O_WRONLY), path));
    TRY(about(sys::write_all(file, std::to_string(pid)), path));
  }
  return {};
}

Result<Cgroups> find_cgroups(const Spec& spec, pid_t first_process) {
  Cgroups cgroups;
  auto hierarchies = TRY(read_cgroup_hierarchies(first_process));
  std::optional<MountTable> mounts;
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (!hierarchy.path.ends_with("/lyr/" + spec.id)) continue;
    if (!mounts) mounts = TRY(MountTable::read());
    auto mount = mounts->find(hierarchy);
    auto directory = mount ? directory_of(*mount, hierarchy.path) : std::nullopt;
    bool spare = hierarchy.unified && hierarchies.size() > 1;
    if (!directory && spare) continue;
    if (!directory) return fail(ENOENT, "find the container's cgroup", hierarchy.path);
    if (hierarchy.unified) {
      cgroups.unified = TRY(sys::open(directory->c_str(), O_RDONLY | O_DIRECTORY));
      cgroups.spare = spare;
    } else {
      cgroups.directories.push_back(*directory);
    }
  }
  return cgroups;
}

Result<> remove_cgroups(const std::vector<std::string>& directories) {
  for (const std::string& path : directories) TRY(remove_directory(path));
  return {};
}

Result<> remove_cgroup(const Spec& spec) { return remove_cgroups(existing(spec)); }

Result<> kill_all(const Spec& spec, const Fd& container_pidfd) {
  if (container_pidfd) {
    // The end of pid 1 ends its pid namespace, and with it every process of the container.
    auto killed = sys::pidfd_send_signal(container_pidfd, SIGKILL);
    if (!killed && killed.error().code != ESRCH) return killed;
  }
  for (const std::string& path : existing(spec)) kill_members(path);
  return {};
}

std::string describe_cgroups() {
  auto hierarchies = read_cgroup_hierarchies();
  if (!hierarchies || hierarchies->empty()) return "none (this kernel has no cgroups)";
  bool v1 = false;
  bool v2 = false;
  bool writable = false;
  auto mounts = MountTable::read();
  for (const CgroupHierarchy& hierarchy : *hierarchies) {
    if (!mounts) break;
    auto candidates = bases(*mounts, hierarchy);
    if (candidates.empty()) continue;
    (hierarchy.unified ? v2 : v1) = true;
    for (const std::string& base : candidates) writable |= sys::is_writable(base.c_str());
  }
  if (!v1 && !v2) return "none (no cgroup file system is mounted)";
  std::string kind = v1 && v2 ? "hybrid" : v1 ? "v1" : "v2";
  return writable ? kind : "none (" + kind + " is mounted, but we may not write to it)";
}

}  // namespace lyr::sandbox
