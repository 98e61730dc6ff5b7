// SPDX-License-Identifier: Apache-2.0
// The cgroup hierarchies of this host and where a process is in them: v1, v2, hybrid or none.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sandbox {

struct CgroupHierarchy {
  bool unified = false;
  std::vector<std::string> controllers;  // v1: "cpu", "cpuacct", or "name=systemd"
  std::string path;                      // of the process, from the hierarchy's root
  std::string directory_name() const;    // under /sys/fs/cgroup: "cpu,cpuacct", "unified"
};

// Of this process, as /proc/self/cgroup has them. A v2 hierarchy without controllers is among them.
Result<std::vector<CgroupHierarchy>> read_cgroup_hierarchies();
Result<std::vector<CgroupHierarchy>> read_cgroup_hierarchies(pid_t pid);

// The directory where a hierarchy is mounted in our mount namespace, and the part of the hierarchy
// that is mounted there.
struct CgroupMount {
  std::string directory;  // "/sys/fs/cgroup/memory"
  std::string root;       // "/", or deeper inside a container
};
// What is mounted now, as /proc/self/mountinfo has it: read once, asked for each hierarchy.
class MountTable {
 public:
  static Result<MountTable> read();
  // Nothing: it is not mounted.
  std::optional<CgroupMount> find(const CgroupHierarchy& hierarchy) const;

 private:
  std::string text_;
};
// Where cgroup `path` of the hierarchy is in our mount namespace; nothing when it is not below it.
std::optional<std::string> directory_of(const CgroupMount& mount, const std::string& path);

}  // namespace lyr::sandbox
