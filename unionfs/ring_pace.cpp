// SPDX-License-Identifier: Apache-2.0
#include "unionfs/ring_pace.h"

#include <algorithm>

#include "base/sys_event.h"
#include "base/sys_process.h"

namespace lyr::unionfs {

void RingPace::received() {
  if (hold_.cpus().size() != 2) return;
  std::scoped_lock lock(mutex_);
  int64_t now = sys::now_monotonic_ns();
  wait_.received(now);
  // Now, as who asked sleeps until we answer, and is not among those that run.
  worth_it_ = wait_.looks() && spare_cpu_.at(now, hold_.running());
  if (!worth_it_) hold_.release();
}

void RingPace::answered() {
  if (hold_.cpus().size() != 2) return;
  std::scoped_lock lock(mutex_);
  int64_t now = sys::now_monotonic_ns();
  wait_.answered(now);
  if (!worth_it_) return;
  auto cpus = hold_.cpus();
  auto here = std::ranges::find(cpus, sys::current_cpu());
  if (here == cpus.end()) return;
  int other = here == cpus.begin() ? 1 : 0;
  static_cast<void>(hold_.keep(other, now + BusyWait::window_ns));  // refused, it is as it is
}

}  // namespace lyr::unionfs
