// SPDX-License-Identifier: Apache-2.0
// Resource limits of a process, set from outside when all but its exec is done, so that a low limit
// cannot break its own set-up.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sandbox/spec.h"

namespace lyr::sandbox {

// Hands back what could not be set, and why, for a person.
std::vector<std::string> set_rlimits(pid_t pid, const std::vector<Rlimit>& limits);

}  // namespace lyr::sandbox
