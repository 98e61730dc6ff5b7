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

// Frozen until end(), or as long as this lives. A process of ours waits for our end to undo it,
// whatever ends us. Not thread-safe, and to be made while the caller has one thread.
class Freeze {
 public:
  // `id`: of the container, `first`: its first process, `mark`: a file of the container's for this
  // alone, open for reading and writing, which nobody but us can open: it is locked meanwhile, and
  // says what we have frozen. Returns when all of it stands still; waits for who of us has frozen
  // it already. What somebody else froze without us stays frozen. Errors say why it cannot be had.
  static Result<Freeze> begin(const std::string& id, pid_t first, Fd mark);
  Freeze(Freeze&&) noexcept = default;
  Freeze& operator=(Freeze&&) = delete;
  ~Freeze();

  // Lets it go on, if that was not done by who was to do it.
  Result<> end();

 private:
  Freeze() = default;
  Fd lifeline_;  // its end undoes it
  Fd file_;      // cgroup.freeze
  Fd mark_;
  sys::Child undoer_;
};

// Waits until no Freeze holds the container, at most `timeout_ms`, and undoes one whose processes
// were all killed. `mark`: as for a Freeze.
Result<> wait_until_it_goes_on(const std::string& id, pid_t first, const Fd& mark, int timeout_ms);

}  // namespace lyr::sandbox
