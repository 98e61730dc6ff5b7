// SPDX-License-Identifier: Apache-2.0
// Does pieces of work by several threads with the outcome of one: what fails is the first in order
// that fails, whatever was quicker.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>

#include "base/result.h"

namespace lyr::image {

class OrderedJobs {
 public:
  using Job = std::function<Result<>(size_t)>;

  // Calls `job` for 0 to count - 1, begun in this order, by at most `threads` threads, of which the
  // caller is one. After a failure no more are begun, and those behind it may give up when
  // is_given_up() says so; those before it run on, because one of them may fail, too.
  Result<> run(size_t count, size_t threads, const Job& job);
  // Thread-safe. Whether the job's outcome matters no more.
  bool is_given_up(size_t job) const { return job > failed_.load(std::memory_order_relaxed); }

 private:
  void work(size_t count, const Job& job);

  std::atomic<size_t> next_ = 0;
  std::atomic<size_t> failed_ = SIZE_MAX;  // the first that failed
  std::mutex mutex_;                       // guards failure_
  Result<> failure_;
};

}  // namespace lyr::image
