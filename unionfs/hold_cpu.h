// SPDX-License-Identifier: Apache-2.0
// Keeps one of two CPUs busy, so that whoever is woken stays on the other. A CPU with nothing to do
// draws whoever is woken (Linux, kernel/sched/fair.c, select_idle_sibling), but has to be woken
// itself first, by an interrupt, for each request and again for each answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace lyr::unionfs {

// A thread of low priority, which is there from the first keep() on. Calls take turns.
class HoldCpu {
 public:
  // What the thread can do meanwhile, for a caller who must not wait for it: a number for a number
  // that is not 0.
  using Errand = std::function<int(uint32_t)>;
  explicit HoldCpu(Errand errand = {});
  HoldCpu(const HoldCpu&) = delete;
  HoldCpu& operator=(const HoldCpu&) = delete;
  ~HoldCpu();

  // Whether there are two CPUs to choose from, and the kernel lets us.
  bool possible() const { return cpus_.size() == 2 && !refused_; }
  std::span<const int> cpus() const { return cpus_; }
  // cpus()[side] is kept busy until the monotonic clock says `ns`, the other one no more. False:
  // it cannot be had, and there is no point in asking again.
  bool keep(int side, int64_t ns);
  void release() { until_.store(0); }
  // Has the errand done about a number, when the thread comes to it; one at a time, the last one
  // counts. What it came to is told once.
  void send(uint32_t about) { about_.store(about); }
  std::optional<int> back();
  // How many threads of ours run for that.
  int running() const { return asleep_.load(std::memory_order_relaxed) ? 0 : 1; }

 private:
  static constexpr int64_t nothing = std::numeric_limits<int64_t>::min();

  bool move(int side);
  bool start();
  void run();
  void do_errand();

  std::vector<int> cpus_;  // that we may run on
  int side_ = -1;          // of cpus_: where the thread is bound to
  bool refused_ = false;
  Errand errand_;
  std::atomic<uint32_t> about_ = 0;        // 0: there is none to do
  std::atomic<int64_t> result_ = nothing;  // of the last one
  std::atomic<int64_t> until_ = 0;
  std::atomic<bool> asleep_ = true;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace lyr::unionfs
