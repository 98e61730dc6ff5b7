// SPDX-License-Identifier: Apache-2.0
#include "sandbox/mounts.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "sandbox/cgroup_mount.h"
#include "sandbox/channel.h"
#include "sandbox/dev.h"
#include "sandbox/id_map.h"
#include "sandbox/mount_options.h"
#include "sandbox/resolver.h"

namespace lyr::sandbox {
namespace {

// Ids in a file system's options must be mapped ("gid=5" of devpts in a single-id map is not).
bool names_unmapped_id(const std::string& key, const std::string& value, const IdMap& map) {
  if (key != "uid" && key != "gid") return false;
  uint32_t id = 0;
  for (char c : value) {
    if (c < '0' || c > '9' || id > container_ids) return false;
    id = id * 10 + static_cast<uint32_t>(c - '0');
  }
  return !to_host_id(key == "uid" ? map.uids : map.gids, id);
}

// The host's own, read-only, where no other is to be had: the network namespace is the host's, or
// parts of the tree we were given are covered, which forbids a new instance (mount_too_revealing).
Result<Fd> bind_host_sysfs() { return open_bind({"/sys", "bind", "/sys", {"rbind", "ro"}}); }

Result<Fd> make_sysfs(const Mount& mount, const Spec& spec) {
  if (!spec.new_network) return bind_host_sysfs();
  auto made = make_file_system("sysfs", mount, spec);
  if (made || made.error().code != EPERM) return made;
  return bind_host_sysfs();
}

Result<Fd> make_proc(const Mount& mount, const Spec& spec) {
  auto made = make_file_system("proc", mount, spec);
  if (made || made.error().code != EPERM) return made;
  return fail_saying(EPERM,
                     "a /proc of its own is refused, since parts of /proc are covered here: run "
                     "the outer container with an unmasked /proc (--security-opt "
                     "systempaths=unconfined)");
}

Result<Fd> make_one(const Mount& mount, const Spec& spec, Fd prepared) {
  if (mount.type == "bind") return prepared ? std::move(prepared) : open_bind(mount);
  if (mount.type == "proc") return make_proc(mount, spec);
  if (mount.type == "sysfs") return make_sysfs(mount, spec);
  if (mount.type == "tmpfs" || mount.type == "devpts" || mount.type == "mqueue")
    return make_file_system(mount.type.c_str(), mount, spec);
  return fail_saying(EINVAL, "no such type of mount: " + mount.type);
}

Result<Fd> target_for(const Fd& tree, const Fd& root, const std::string& destination) {
  auto status = TRY(sys::stat(tree));
  bool directory = S_ISDIR(status.st_mode);
  Fd there = TRY(find_in_root(root, destination));
  if (!there)
    return directory ? directory_in_root(root, destination) : file_in_root(root, destination);
  auto place = TRY(sys::stat(there));
  if (S_ISDIR(place.st_mode) == directory) return there;
  return fail_saying(directory ? ENOTDIR : EISDIR,
                     directory ? "a directory cannot be mounted on a file"
                               : "a file cannot be mounted on a directory: name the file");
}

// A standard place must be a directory of its own: an image whose /dev or /proc is a link would
// have us mount (and later write) somewhere else (CVE-2026-41579, CVE-2019-19921).
Result<> refuse_link(const Fd& root, const std::string& destination) {
  auto status = sys::stat_at(root, destination.c_str() + 1);
  if (!status || !S_ISLNK(status->st_mode)) return {};
  return fail_saying(ENOTDIR, "the image's " + destination + " is a symbolic link");
}

Result<> mount_one(const Mount& mount, Fd tree, const Fd& root, Mounted& mounted) {
  if (mount.destination == "/dev" || mount.destination == "/proc" || mount.destination == "/sys")
    TRY(refuse_link(root, mount.destination));
  Fd target = TRY(target_for(tree, root, mount.destination));
  TRY(sys::move_mount(tree, target));
  if (mount.type == "proc" && mount.destination == "/proc") {
    mounted.proc = std::move(tree);
  } else if (mount.type == "devpts" && mount.destination == "/dev/pts") {
    mounted.pts = std::move(tree);
  } else if (mount.type == "tmpfs" && mount.destination == "/dev") {
    TRY(populate_dev(tree));
    mounted.dev = std::move(tree);
  }
  return {};
}

}  // namespace

Result<Fd> make_file_system(const char* type, const Mount& mount, const Spec& spec) {
  auto options = TRY(parse_mount_options(mount.options));
  Fd context = TRY(sys::fsopen(type));
  TRY(sys::fsconfig_string(context, "source", type));
  for (const auto& [key, value] : options.parameters) {
    if (names_unmapped_id(key, value, spec.id_map)) continue;
    auto set = value.empty() ? sys::fsconfig_flag(context, key.c_str())
                             : sys::fsconfig_string(context, key.c_str(), value.c_str());
    TRY(about(std::move(set), "option " + key));
  }
  TRY(sys::fsconfig_create(context));
  return sys::fsmount(context, static_cast<unsigned>(options.set));
}

Result<Mounted> make_mounts(const Spec& spec, Preparation& preparation, const Fd& root,
                            const Fd& channel) {
  Mounted mounted;
  for (size_t i = 0; i < spec.mounts.size(); ++i) {
    const Mount& mount = spec.mounts[i];
    std::string step = "mount " + mount.destination;
    if (mount.type == "cgroup") {
      auto done = mount_cgroups(mount, preparation.cgroups, root);
      if (!done) TRY(tell(channel, Step::warning, 0, step + ": " + describe(done.error())));
      continue;
    }
    Fd tree = TRY(during(step, make_one(mount, spec, std::move(preparation.binds[i]))));
    TRY(during(step, mount_one(mount, std::move(tree), root, mounted)));
  }
  return mounted;
}

}  // namespace lyr::sandbox
