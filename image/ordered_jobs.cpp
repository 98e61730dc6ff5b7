// SPDX-License-Identifier: Apache-2.0
#include "image/ordered_jobs.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

#include "base/sys_process.h"

namespace lyr::image {

void OrderedJobs::work(size_t count, const Job& job) {
  while (failed_ == SIZE_MAX) {
    size_t number = next_.fetch_add(1);
    if (number >= count) return;
    auto outcome = job(number);
    if (outcome) continue;
    std::scoped_lock lock(mutex_);
    if (number > failed_) continue;
    failed_ = number;
    failure_ = std::move(outcome);
  }
}

Result<> OrderedJobs::run(size_t count, size_t threads, const Job& job) {
  next_ = 0;
  failed_ = SIZE_MAX;
  failure_ = {};
  {
    std::vector<std::jthread> others;
    try {
      for (size_t i = 1; i < std::min(threads, count); ++i) {
        others.emplace_back([&] {
          sys::name_thread("lyr-layer");
          work(count, job);
        });
      }
    } catch (const std::system_error&) {
      // No more threads to be had: fewer will do.
    }
    work(count, job);
  }
  return std::move(failure_);
}

}  // namespace lyr::image
