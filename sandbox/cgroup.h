// SPDX-License-Identifier: Apache-2.0
// A container's cgroups, <hierarchy>/…/lyr/<id>: made with its limits, entered, killed, removed.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

struct Cgroups {
  Fd unified;                            // the v2 directory to be born in; empty on v1
  bool spare = false;                    // `unified` has no controllers: it can be done without
  std::vector<std::string> directories;  // v1: to be entered by writing to cgroup.procs
  std::vector<std::string> hierarchies;  // of all of them, by CgroupHierarchy::directory_name()
  std::vector<std::string> made;         // all that there is to remove in the end
};

// Makes what the limits need (on v2: always, where we may). A limit that cannot be set is a warning
// that says why.
Result<Cgroups> make_cgroups(const Spec& spec, std::vector<std::string>& warnings);
// Moves `pid` (0: ourselves) into the v1 directories. On v2 it was born inside.
Result<> enter_cgroups(const Cgroups& cgroups, pid_t pid);
// Those of a running container, for another process of it. `made` stays empty.
Result<Cgroups> find_cgroups(const Spec& spec, pid_t first_process);
// Removes directories that make_cgroups() made, and kills what is in them. Absent is success.
Result<> remove_cgroups(const std::vector<std::string>& directories);

}  // namespace lyr::sandbox
