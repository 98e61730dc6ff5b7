// SPDX-License-Identifier: Apache-2.0
// Where FUSE over io_uring is asked quickly, keeps who asks on his CPU: its queue's thread is there
// anyway, see unionfs/hold_cpu.h for what it costs when he moves on to the other.
#pragma once

#include <cstdint>
#include <mutex>

#include "unionfs/busy_wait.h"
#include "unionfs/hold_cpu.h"

namespace lyr::unionfs {

// Thread-safe: queues of several CPUs have one.
class RingPace {
 public:
  // Of each request, by the thread that answers it.
  void received();
  void answered();

 private:
  HoldCpu hold_;
  std::mutex mutex_;  // guards all below, and hold_ but for whether it is possible
  SpareCpu spare_cpu_;
  BusyWait wait_;
  bool worth_it_ = false;
};

}  // namespace lyr::unionfs
