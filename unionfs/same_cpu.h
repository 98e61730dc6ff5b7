// SPDX-License-Identifier: Apache-2.0
// Keeps who asks and who answers on one CPU, where they only take turns, or on one each, where they
// work at the same time: see unionfs/hold_cpu.h.
#pragma once

#include <cstdint>
#include <optional>

#include "unionfs/askers.h"
#include "unionfs/hold_cpu.h"

namespace lyr::unionfs {

// The CPU that a thread last ran on, as /proc tells. Nothing: there is no such thread, or it may
// not be seen. Not for a thread that must answer requests: the kernel has the reader let go of who
// is looked at, and so, when that one is just ending, of all that he has mapped. A file of ours
// among that is written back first, for which the reader would wait for himself (Linux,
// fs/proc/array.c, do_task_stat; fs/fuse/file.c, fuse_release).
std::optional<int> cpu_of_thread(uint32_t thread);

// Which of two CPUs the server is on, where /proc does not tell: where requests come quickly is who
// asks. Where they come slowly it may be on the other one; a short stay there tells. Not
// thread-safe.
class Side {
 public:
  // A request came `gap` ns after the answer to the one before. True: change sides now.
  bool changes(int64_t gap);

  static constexpr int64_t quick_ns = 15'000;  // less than it takes to wake a CPU

 private:
  static constexpr int64_t gap_max_ns = 100'000;
  static constexpr int trial = 8;            // requests
  static constexpr int patience_min = 8;     // requests before a trial
  static constexpr int patience_max = 2048;  // where neither side is quick

  int64_t mean_ = 0;       // of the gaps, the last ones weigh most
  int64_t elsewhere_ = 0;  // what it was on the other side, during a trial
  bool tries_ = false;
  int here_ = 0;  // requests since the last change
  int slow_ = 0;  // of them, the last ones while the mean was slow
  int patience_ = patience_min;
};

// Of the one thread that serves; its calls are not thread-safe.
class SameCpu {
 public:
  // `askers`: whom keep_until() will be told of; outlives this.
  explicit SameCpu(const Askers& askers);

  // Whether there are two CPUs to choose from.
  bool possible() const { return hold_.cpus().size() == 2; }
  // To be called after each answer, for as long as it is worth it: the calling thread stays on a
  // CPU, the other one is kept busy until the monotonic clock says `ns`. `gap`: see Side. `asker`:
  // the thread that asked, by the kernel's number; 0: nobody. Where he is, is looked up by another
  // thread, and counts some calls later.
  void keep_until(int64_t ns, int64_t gap, uint32_t asker);
  // The same, but the calling thread stays on the CPU that who asks is not on, and that one's is
  // kept busy, so that neither has to be woken: for those who work at the same time.
  void keep_apart_until(int64_t ns, uint32_t asker);
  // The calling thread may run anywhere again.
  void stop();
  // How many threads of ours run beside the calling one.
  int running() const { return hold_.running(); }

 private:
  enum class Way { free, together, apart };
  static constexpr int slow_max = 8;      // slow requests, before it is looked where who asks is
  static constexpr int misses_max = 8;    // looks in a row that tell nothing, before trials begin
  static constexpr int trials_max = 512;  // slow requests by trials, before it is looked again
  static constexpr int apart_max = 64;    // requests, before it is looked where who asks is

  std::optional<int> theirs();
  int next_side(int64_t gap, uint32_t asker);
  void stay(int side, int64_t ns);

  HoldCpu hold_;
  Way way_ = Way::free;
  int place_ = 0;             // of its cpus(): where the server is, unless it is free
  std::optional<int> bound_;  // the same, where the kernel was told
  int requests_ = 0;  // since the last look, or since this way began; slow ones when together
  int misses_;        // looks since the last that told, misses_max at most
  Side side_;
  bool refused_ = false;  // by the kernel: there is no point in asking again
};

}  // namespace lyr::unionfs
