// SPDX-License-Identifier: Apache-2.0
// Writes the id maps of a new user namespace: by our own right, or through newuidmap and newgidmap.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

constexpr uint32_t container_ids = 65536;  // 0..65535, what images use

// For the child `pid`, which waits in its new namespace.
Result<> write_id_map(pid_t pid, const IdMap& map);
// `map` for a namespace inside of one that has it already: each id is itself.
IdMap inside_of(const IdMap& map);
// The host's id of the container's `id`; EINVAL when it is not mapped.
Result<uint32_t> to_host_id(const std::vector<IdRange>& ranges, uint32_t id);
// How many ids from 0 on are mapped without a gap.
uint32_t mapped_from_zero(const std::vector<IdRange>& ranges);
// Whether we may do things to ids beside our own (CAP_SETUID, CAP_SYS_ADMIN): real or nested root.
bool is_privileged();

// What to do when a process in a new user namespace could not be made.
Failure explain_no_namespaces(const Error& error);

}  // namespace lyr::sandbox
