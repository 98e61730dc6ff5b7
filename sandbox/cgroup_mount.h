// SPDX-License-Identifier: Apache-2.0
// /sys/fs/cgroup of a container: the hierarchies the host has, read-only, seen from the container's
// cgroup namespace, so that programs can read their limits.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// Runs in the child, in its own cgroup namespace.
Result<> mount_cgroups(const Mount& mount, const Fd& root);

}  // namespace lyr::sandbox
