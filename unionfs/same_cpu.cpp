// SPDX-License-Identifier: Apache-2.0
#include "unionfs/same_cpu.h"

#include <algorithm>
#include <limits>
#include <span>
#include <system_error>

#include "base/sys_event.h"
#include "base/sys_process.h"

namespace lyr::unionfs {

bool Side::changes(int64_t gap) {
  gap = std::min(gap, gap_max_ns);
  mean_ = here_ == 0 ? gap : mean_ + (gap - mean_) / 4;
  ++here_;
  if (mean_ < quick_ns) {
    tries_ = false;
    slow_ = 0;
    patience_ = patience_min;
    return false;
  }
  ++slow_;
  if (tries_) {
    if (here_ < trial) return false;
    tries_ = false;
    slow_ = 0;
    if (mean_ < elsewhere_ - elsewhere_ / 4) return false;
    patience_ = std::min(2 * patience_, patience_max);
  } else {
    if (slow_ < patience_) return false;
    tries_ = true;
    elsewhere_ = mean_;
  }
  here_ = slow_ = 0;
  return true;
}

SameCpu::SameCpu() {
  auto cpus = sys::cpus_allowed();
  if (cpus) cpus_ = std::move(*cpus);
}

SameCpu::~SameCpu() {
  if (!thread_.joinable()) return;
  ended_ = true;
  until_ = std::numeric_limits<int64_t>::max();  // so that it does not fall asleep any more
  asleep_ = false;
  asleep_.notify_one();
  thread_.join();
}

void SameCpu::keep_until(int64_t ns, int64_t gap) {
  if (refused_ || (!thread_.joinable() && !start())) return;
  if (!place_) {
    take_place(sys::current_cpu() == cpus_[0] ? 0 : 1);
  } else if (side_.changes(gap)) {
    take_place(1 - *place_);
  }
  if (refused_) return;
  until_.store(ns);
  if (!asleep_.load()) return;
  asleep_.store(false);
  asleep_.notify_one();
}

void SameCpu::stop() {
  if (!place_) return;
  place_.reset();
  until_.store(0);
  static_cast<void>(sys::allow_cpus(cpus_));
}

void SameCpu::take_place(int side) {
  std::span<const int> here(&cpus_[static_cast<size_t>(side)], 1);
  std::span<const int> there(&cpus_[static_cast<size_t>(1 - side)], 1);
  place_ = side;
  refused_ = !sys::allow_cpus(thread_, there) || !sys::allow_cpus(here);
  if (refused_) stop();
}

bool SameCpu::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no more threads are allowed
    refused_ = true;
  }
  return !refused_;
}

void SameCpu::run() {
  sys::name_thread("lyr-hold-cpu");
  static_cast<void>(sys::stand_back());  // else it is in the way until the next look at the load
  while (!ended_) {
    while (!ended_ && sys::now_monotonic_ns() < until_.load(std::memory_order_relaxed)) {
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
