// SPDX-License-Identifier: Apache-2.0
// Hides what a kernel shows to every process alike, and makes the rest of it read-only. Runs after
// pivot_into(): paths are of the container's own /proc and /sys.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

// `null`: a detached mount of the host's /dev/null. Paths that do not exist are passed over.
Result<> mask_paths(const Spec& spec, const Fd& root, Fd null);
Result<> make_paths_read_only(const Spec& spec, const Fd& root);

}  // namespace lyr::sandbox
