// SPDX-License-Identifier: Apache-2.0
// Takes requests from a FUSE session and has them answered, by a fixed number of threads.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/unionfs.h"

struct fuse_session;

namespace lyr::unionfs {

class Ring;

struct Loop {
  const Fd& device;  // the one the session reads
  int threads = 1;
  RequestCounts* counts = nullptr;
  Ledger* ledger = nullptr;  // of a server that may be killed
  const Askers& askers;      // as in Options
  // Whether another thread works for who asks, so that he had better have a CPU to himself. Null:
  // none ever does.
  const std::atomic<bool>* helper = nullptr;
  Ring* ring = nullptr;    // the session's: the device has what does not come by it
  bool spare_cpu = false;  // as in Options
};
// Blocks until the session is unmounted or aborted. Every request read from the device is counted
// before it is answered, those that libfuse answers by itself among them. A single thread keeps on
// the CPU of who asks, or looks for requests before it sleeps (unionfs/same_cpu.h, busy_wait.h),
// and has an assistant (unionfs/assistant.h) while the kernel writes back more than it keeps up
// with. ENOTRECOVERABLE: a server before this one was killed, and the kernel cannot send again what
// that left unanswered. With a ring a single thread reads the device, and its queues' threads count
// too.
Result<> loop(struct fuse_session* session, const Loop& settings);

}  // namespace lyr::unionfs
