// SPDX-License-Identifier: Apache-2.0
#include "image/ordered_jobs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

namespace lyr::image {
namespace {

Result<> fail_as(size_t job) { return fail(EIO, "job", std::to_string(job)); }

TEST(OrderedJobsTest, DoesEachJobOnce) {
  for (size_t threads : {0, 1, 2, 5, 100}) {
    std::vector<std::atomic<int>> done(37);
    OrderedJobs jobs;
    auto outcome = jobs.run(done.size(), threads, [&](size_t job) -> Result<> {
      ++done[job];
      return {};
    });
    EXPECT_TRUE(outcome);
    for (const auto& times : done) EXPECT_EQ(times, 1);
  }
}

TEST(OrderedJobsTest, RunsThemSideBySide) {
  std::latch all(3);  // none gets past it alone
  OrderedJobs jobs;
  EXPECT_TRUE(jobs.run(3, 3, [&](size_t) -> Result<> {
    all.arrive_and_wait();
    return {};
  }));
}

TEST(OrderedJobsTest, TheFirstInOrderThatFailsIsToldThoughALaterOneWasQuicker) {
  OrderedJobs jobs;
  auto outcome = jobs.run(3, 2, [&](size_t job) -> Result<> {
    while (job == 0 && !jobs.is_given_up(2)) std::this_thread::yield();  // until 1 has failed
    return fail_as(job);
  });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(*outcome.error().subject, "0");
}

TEST(OrderedJobsTest, WhatComesBehindAFailureGivesUpAndNoMoreIsBegun) {
  std::latch both(2);
  std::atomic<int> begun = 0;
  OrderedJobs jobs;
  auto outcome = jobs.run(100, 2, [&](size_t job) -> Result<> {
    ++begun;
    both.arrive_and_wait();
    if (job == 0) return fail_as(0);
    while (!jobs.is_given_up(job)) std::this_thread::yield();
    return fail(ECANCELED, "job");
  });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(*outcome.error().subject, "0");
  EXPECT_EQ(begun, 2);
  EXPECT_FALSE(jobs.is_given_up(0));
}

}  // namespace
}  // namespace lyr::image
