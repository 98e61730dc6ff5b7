// SPDX-License-Identifier: Apache-2.0
// How far a load or a save has come, told to whoever asked.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace lyr::image {

// Called now and then with the bytes done so far and the total (0: unknown). From any thread.
using Progress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

constexpr uint64_t progress_step_bytes = 1 << 20;

// Counts, and reports each step. Thread-safe.
class ProgressMeter {
 public:
  ProgressMeter(const Progress& report, uint64_t total) : report_(report), total_(total) {}
  void add(uint64_t bytes) {
    uint64_t before = done_.fetch_add(bytes);
    uint64_t now = before + bytes;
    bool step = before / progress_step_bytes != now / progress_step_bytes || now == total_;
    if (report_ && step) report_(now, total_);
  }

 private:
  const Progress& report_;
  uint64_t total_;
  std::atomic<uint64_t> done_ = 0;
};

}  // namespace lyr::image
