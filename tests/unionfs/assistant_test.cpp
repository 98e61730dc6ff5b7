// SPDX-License-Identifier: Apache-2.0
#include "unionfs/assistant.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>

namespace lyr::unionfs {
namespace {

// Pieces of work to be done.
struct Pile {
  std::atomic<int> left = 0;
  std::atomic<int> done = 0;
  std::atomic<int> makings = 0;
  std::atomic<int> looks = 0;  // that found nothing
  std::atomic<std::thread::id> worker;

  std::function<Assistant::Work()> maker() {
    return [this]() -> Assistant::Work {
      ++makings;
      return [this] {
        worker = std::this_thread::get_id();
        if (left == 0) {
          ++looks;
          return false;
        }
        --left;
        ++done;
        return true;
      };
    };
  }
};

void wait_until_it_rests(const Assistant& assistant) {
  while (assistant.at_work()) std::this_thread::yield();
}

TEST(Assistant, WorksOnlyWhenCalled) {
  Pile pile;
  pile.left = 5;
  Assistant assistant(pile.maker());
  EXPECT_FALSE(assistant.at_work());
  EXPECT_EQ(pile.makings, 0) << "what it works with is made when it is needed";
  for (int call = 1; call <= 3; ++call) {
    pile.left = 5;
    assistant.call();
    wait_until_it_rests(assistant);
    EXPECT_EQ(pile.done, 5 * call);
    EXPECT_NE(pile.worker.load(), std::this_thread::get_id());
    int looks = pile.looks;
    EXPECT_GT(looks, 0) << "it has a little patience";
    pile.left = 5;
    EXPECT_FALSE(assistant.at_work());
    EXPECT_EQ(pile.looks, looks);
    EXPECT_EQ(pile.done, 5 * call) << "not called";
  }
  EXPECT_EQ(pile.makings, 1);
}

TEST(Assistant, CallsWhileItWorksAreOne) {
  std::binary_semaphore goes_on{0};
  std::atomic<int> begun = 0;
  Assistant assistant([&]() -> Assistant::Work {
    return [&] {
      if (begun++ > 0) return false;
      goes_on.acquire();
      return true;
    };
  });
  assistant.call();
  for (int i = 0; i < 10; ++i) assistant.call();
  EXPECT_TRUE(assistant.at_work());
  goes_on.release();
  wait_until_it_rests(assistant);
  int at_rest = begun;
  EXPECT_GE(at_rest, 2);
  assistant.call();
  wait_until_it_rests(assistant);
  EXPECT_GT(begun, at_rest) << "it does not rest for good";
}

// Whatever it is doing then, and if it never did anything.
TEST(Assistant, EndsWithItsOwner) {
  Pile pile;
  {
    Assistant never_called(pile.maker());
  }
  EXPECT_EQ(pile.makings, 0);
  for (int i = 0; i < 200; ++i) {
    Assistant assistant(pile.maker());
    pile.left = i % 3;
    assistant.call();
    if (i % 2 == 0) wait_until_it_rests(assistant);
  }
  EXPECT_LE(pile.makings, 200);
}

}  // namespace
}  // namespace lyr::unionfs
