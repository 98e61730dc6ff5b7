// SPDX-License-Identifier: Apache-2.0
// A container that stands still: none of its programs runs, and none of them can tell, except by
// the time. By the freezer of cgroups of version 2 (Linux 5.2).
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/sys_process.h"

namespace lyr::sandbox {

// Frozen as long as this lives. A process of ours waits for our end to undo it, whatever ends us.
// Not thread-safe, and to be made while the caller has one thread.
class Freeze {
 public:
  // `id`: of the container, `first`: its first process. Returns when all of it stands still; waits
  // for who has frozen it already. What somebody else froze without us stays frozen. Errors say why
  // it cannot be had.
  static Result<Freeze> begin(const std::string& id, pid_t first);
  Freeze(Freeze&&) noexcept = default;
  Freeze& operator=(Freeze&&) = delete;
  ~Freeze();

 private:
  Freeze() = default;
  Fd lifeline_;  // its end undoes it
  sys::Child undoer_;
};

}  // namespace lyr::sandbox
