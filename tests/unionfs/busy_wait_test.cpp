// SPDX-License-Identifier: Apache-2.0
#include "unionfs/busy_wait.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

namespace lyr::unionfs {
namespace {

constexpr int64_t quick = BusyWait::window_ns / 2;
constexpr int64_t slow = BusyWait::window_ns * 3;

// `count` requests, each `gap` after the answer to the one before.
void serve(BusyWait& wait, int64_t& now, int count, int64_t gap) {
  for (int i = 0; i < count; ++i) {
    wait.answered(now);
    now += gap;
    wait.received(now);
  }
  wait.answered(now);
}

TEST(BusyWait, SleepsAtOnceUntilRequestsComeQuickly) {
  BusyWait wait;
  int64_t now = 1'000'000'000;
  EXPECT_FALSE(wait.looks());
  serve(wait, now, 1, quick);
  EXPECT_FALSE(wait.looks_on(now)) << "one quick request is no row of them";
  serve(wait, now, 20, quick);
  EXPECT_TRUE(wait.looks_on(now + quick));
}

TEST(BusyWait, SleepsAfterItsWindow) {
  BusyWait wait;
  int64_t now = 1'000'000'000;
  serve(wait, now, 20, quick);
  EXPECT_TRUE(wait.looks_on(now + BusyWait::window_ns - 1));
  EXPECT_FALSE(wait.looks_on(now + BusyWait::window_ns));
}

TEST(BusyWait, StopsLookingWhenRequestsComeSlowly) {
  BusyWait wait;
  int64_t now = 1'000'000'000;
  serve(wait, now, 1000, quick);
  int looked = 0;
  for (int i = 0; i < 100; ++i) {
    looked += wait.looks() ? 1 : 0;
    serve(wait, now, 1, slow);
  }
  EXPECT_LE(looked, 4) << "however long the row before was";
}

TEST(BusyWait, OneSlowRequestAmongQuickOnesIsForgiven) {
  BusyWait wait;
  int64_t now = 1'000'000'000;
  serve(wait, now, 20, quick);
  serve(wait, now, 1, slow);
  EXPECT_TRUE(wait.looks());
}

// On its one CPU, a server that looks keeps from running who would ask.
TEST(SpareCpu, ThereIsNoneWithOneCpu) {
  std::thread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    SpareCpu spare;
    EXPECT_FALSE(spare.at(1));
  }).join();
}

// Each CPU has a thread that runs when a spare one is asked for.
TEST(SpareCpu, ThereIsNoneWhenAllAreBusy) {
  std::atomic<bool> done = false;
  std::vector<std::jthread> busy;
  for (unsigned i = 0; i < std::thread::hardware_concurrency() + 1; ++i) {
    busy.emplace_back([&] {
      while (!done) {
      }
    });
  }
  SpareCpu spare;
  bool there = true;
  // They are runnable once they have been scheduled to, which a busy machine may delay.
  for (int64_t now = 1; there && now < 1000 * SpareCpu::lasts_ns; now += SpareCpu::lasts_ns)
    there = spare.at(now);
  done = true;
  EXPECT_FALSE(there);
}

}  // namespace
}  // namespace lyr::unionfs
