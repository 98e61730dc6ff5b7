// SPDX-License-Identifier: Apache-2.0
// Whether the thread that serves looks for the next request for a while before it sleeps. On a
// machine with little else to do, waking a CPU that has gone to sleep costs more than most answers
// (20 to 40 us in a virtual machine whose host does not poll for it); a program that walks a tree
// or unpacks one asks again within that time.
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace lyr::unionfs {

// It looks on only as long as that pays: while requests have come quickly of late. Times are in ns
// of one monotonic clock. Not thread-safe.
class BusyWait {
 public:
  static constexpr int64_t window_ns = 100'000;  // how long it looks at most

  void answered(int64_t now) { answered_at_ = now; }
  // False: the next request is worth no look.
  bool looks() const { return quick_ >= promising; }
  // After a look that found nothing. False: sleep.
  bool looks_on(int64_t now) const { return looks() && now - answered_at_ < window_ns; }
  // Of the next request.
  void received(int64_t now);

 private:
  static constexpr int promising = 4;  // quick requests in a row, to begin
  static constexpr int score_max = 8;

  int64_t answered_at_ = 0;
  int quick_ = 0;  // how many more were quick than slow of late, 0 to score_max
};

// Whether a CPU has nothing to do, so that looking takes it from nobody. Not thread-safe.
class SpareCpu {
 public:
  static constexpr int64_t lasts_ns = 10'000'000;  // how long "yes" is taken for true
  static constexpr int64_t no_lasts_ns = 1'000'000;

  SpareCpu();
  // `own`: threads of ours beside the calling one that run.
  bool at(int64_t now, int own = 0);

 private:
  int cpus_ = 0;  // that we may run on
  Fd load_;       // /proc/loadavg
  int64_t asked_at_ = 0;
  bool spare_ = false;
};

}  // namespace lyr::unionfs
