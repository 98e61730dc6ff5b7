// SPDX-License-Identifier: Apache-2.0
#include "unionfs/hold_cpu.h"

#include <limits>
#include <system_error>
#include <utility>

#include "base/sys_event.h"
#include "base/sys_process.h"

namespace lyr::unionfs {

HoldCpu::HoldCpu(Errand errand) : errand_(std::move(errand)) {
  auto cpus = sys::cpus_allowed();
  if (cpus) cpus_ = std::move(*cpus);
}

HoldCpu::~HoldCpu() {
  if (!thread_.joinable()) return;
  ended_ = true;
  until_ = std::numeric_limits<int64_t>::max();  // so that it does not fall asleep any more
  asleep_ = false;
  asleep_.notify_one();
  thread_.join();
}

bool HoldCpu::keep(int side, int64_t ns) {
  if (!possible() || (!thread_.joinable() && !start())) return false;
  if (side != side_ && !move(side)) return false;
  until_.store(ns);
  if (!asleep_.load()) return true;
  asleep_.store(false);
  asleep_.notify_one();
  return true;
}

bool HoldCpu::move(int side) {
  refused_ = !sys::allow_cpus(thread_, std::span<const int>(&cpus_[static_cast<size_t>(side)], 1));
  if (refused_) release();
  side_ = side;
  return !refused_;
}

bool HoldCpu::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no more threads are allowed
    refused_ = true;
  }
  return !refused_;
}

std::optional<int> HoldCpu::back() {
  int64_t result = result_.exchange(nothing);
  return result == nothing ? std::nullopt : std::optional(static_cast<int>(result));
}

void HoldCpu::do_errand() {
  if (about_.load(std::memory_order_relaxed) == 0) return;
  uint32_t about = about_.exchange(0);
  if (errand_) result_.store(errand_(about));
}

void HoldCpu::run() {
  sys::name_thread("lyr-hold-cpu");
  static_cast<void>(sys::stand_back());  // else it is in the way until the next look at the load
  while (!ended_) {
    while (!ended_ && sys::now_monotonic_ns() < until_.load(std::memory_order_relaxed)) {
      do_errand();
      std::this_thread::yield();
    }
    asleep_.store(true);
    if (sys::now_monotonic_ns() < until_.load()) {  // told again just now
      asleep_.store(false);
    } else {
      asleep_.wait(true);
    }
  }
}

}  // namespace lyr::unionfs
