// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup_mount.h"

#include <fcntl.h>

#include <algorithm>
#include <string>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "sandbox/cgroup_tree.h"
#include "sandbox/mount_options.h"
#include "sandbox/resolver.h"

namespace lyr::sandbox {
namespace {

Result<Fd> make_hierarchy(const CgroupHierarchy& hierarchy, unsigned attributes) {
  Fd context = TRY(sys::fsopen(hierarchy.unified ? "cgroup2" : "cgroup"));
  for (const std::string& controller : hierarchy.controllers) {
    if (hierarchy.unified) break;
    if (controller.starts_with("name=")) {
      TRY(sys::fsconfig_string(context, "name", controller.c_str() + 5));
      TRY(sys::fsconfig_flag(context, "none"));
    } else {
      TRY(sys::fsconfig_flag(context, controller.c_str()));
    }
  }
  TRY(sys::fsconfig_create(context));
  return sys::fsmount(context, attributes);
}

Result<Fd> make_tmpfs(unsigned attributes) {
  Fd context = TRY(sys::fsopen("tmpfs"));
  TRY(sys::fsconfig_string(context, "mode", "755"));
  TRY(sys::fsconfig_create(context));
  return sys::fsmount(context, attributes);
}

Result<> attach(const Fd& mount, const Fd& dir, const std::string& name) {
  TRY(sys::mkdir_at(dir, name.c_str(), 0755));
  Fd target = TRY(sys::open_at(dir, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW));
  return sys::move_mount(mount, target);
}

}  // namespace

Result<> mount_cgroups(const Mount& mount, const std::vector<std::string>& own, const Fd& root) {
  auto options = TRY(parse_mount_options(mount.options));
  auto attributes = static_cast<unsigned>(options.set);
  auto hierarchies = TRY(read_cgroup_hierarchies());
  Fd target = TRY(directory_in_root(root, mount.destination));
  std::erase_if(hierarchies, [&](const CgroupHierarchy& hierarchy) {
    return std::find(own.begin(), own.end(), hierarchy.directory_name()) == own.end();
  });
  if (hierarchies.size() == 1 && hierarchies[0].unified) {
    Fd tree = TRY(make_hierarchy(hierarchies[0], attributes));
    return sys::move_mount(tree, target);
  }
  // v1: a directory for each hierarchy. One that the host has not mounted in a way we may share is
  // left out. None at all: an empty directory, in front of the host's where /sys is the host's.
  Fd holder = TRY(make_tmpfs(attributes & ~static_cast<unsigned>(MOUNT_ATTR_RDONLY)));
  TRY(sys::move_mount(holder, target));
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    auto tree = make_hierarchy(hierarchy, attributes);
    if (tree) TRY(attach(*tree, holder, hierarchy.directory_name()));
  }
  return sys::mount_setattr(holder, 0, attributes);
}

}  // namespace lyr::sandbox
