// SPDX-License-Identifier: Apache-2.0
// /sys/fs/cgroup of a container: the hierarchies in which it has a cgroup of its own, read-only,
// seen from its cgroup namespace, so that programs can read their limits. In another one it would
// see the cgroup that lyr was started in, and all below that.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// Runs in the child, in its own cgroup namespace. `own`: by CgroupHierarchy::directory_name().
Result<> mount_cgroups(const Mount& mount, const std::vector<std::string>& own, const Fd& root);

}  // namespace lyr::sandbox
