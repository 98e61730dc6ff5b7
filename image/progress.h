// SPDX-License-Identifier: Apache-2.0
// How far a load or a save has come, told to whoever asked.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace lyr::image {

// Called now and then with the bytes done so far and the total (0: unknown). From any thread, one
// at a time.
using Progress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

constexpr uint64_t progress_step_bytes = 1 << 20;

// Counts, and reports each step. Thread-safe.
class ProgressMeter {
 public:
  ProgressMeter(const Progress& report, uint64_t total) : report_(report), total_(total) {}
  void add(uint64_t bytes) {
    std::scoped_lock lock(mutex_);
    uint64_t before = std::exchange(done_, done_ + bytes);
    bool step = before / progress_step_bytes != done_ / progress_step_bytes || done_ == total_;
    if (report_ && step) report_(done_, total_);
  }

 private:
  const Progress& report_;
  uint64_t total_;
  std::mutex mutex_;  // guards done_, and lets one report at a time
  uint64_t done_ = 0;
};

}  // namespace lyr::image
