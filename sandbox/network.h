// SPDX-License-Identifier: Apache-2.0
// What a new network namespace has: loopback, up, and ping and low ports for its users.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

Result<> bring_loopback_up();
// Writes spec.sysctl (and, in a network namespace of its own, Docker's defaults) through `proc`,
// the container's own procfs and nothing mounted on it (CVE-2025-52881).
Result<> write_sysctls(const Spec& spec, const Fd& proc, const Fd& channel);

}  // namespace lyr::sandbox
