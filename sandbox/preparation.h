// SPDX-License-Identifier: Apache-2.0
// What the creator opens with its own rights before the child exists, and the child inherits: the
// child's ids may search none of the directories on the way.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/sandbox.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {

struct Preparation {
  Stdio stdio;
  Fd creator;  // pidfd of ourselves, for the child to see whether we live
  bool privileged = false;
  Fd root;                // a detached copy of spec.root_path's mount
  std::vector<Fd> binds;  // by index into spec.mounts: a detached copy of what a bind names
  std::vector<std::string> cgroups;  // the hierarchies in which the container has one of its own
};

// Opens what our privilege lets only us open. Without privilege the mounts stay empty: the child,
// whose id 0 we are, opens them in its own mount namespace.
Result<Preparation> prepare(const Spec& spec, Stdio stdio);
// Gives the prepared mounts the child's ids (idmapped mounts), now that its user namespace exists.
// What a file system refuses is a warning.
Result<> idmap_binds(const Spec& spec, const Preparation& preparation, pid_t child,
                     std::vector<std::string>& warnings);

// A detached copy of the mount at the host path `source`, private, with `spec`'s options.
Result<Fd> open_bind(const Mount& mount);

}  // namespace lyr::sandbox
