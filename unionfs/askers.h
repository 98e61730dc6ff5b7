// SPDX-License-Identifier: Apache-2.0
// Who asks: the kernel numbers the threads that make requests by the pid namespace that the file
// system was mounted in, which may be another than the server's.
#pragma once

#include <cstdint>
#include <utility>

#include "base/fd.h"

namespace lyr::unionfs {

// Movable; its const calls are thread-safe.
class Askers {
 public:
  Askers() = default;  // nobody knows which numbers they are
  // The server's own pid namespace.
  static Askers here() { return Askers(true, {}); }
  // One below the server's, as /proc/PID/ns/pid is opened.
  static Askers in(Fd pid_namespace) { return Askers(false, std::move(pid_namespace)); }

  bool known() const { return here_ || pid_namespace_; }
  // The server's number for the thread that is `asker` to the kernel. 0: there is none by now, or
  // the kernel does not tell (before Linux 6.11).
  uint32_t thread(uint32_t asker) const;

 private:
  Askers(bool here, Fd pid_namespace) : here_(here), pid_namespace_(std::move(pid_namespace)) {}

  bool here_ = false;
  Fd pid_namespace_;
};

}  // namespace lyr::unionfs
