// SPDX-License-Identifier: Apache-2.0
#include "base/sys_command_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "base/sys_file.h"

namespace lyr::sys {
namespace {

std::unique_ptr<CommandRing> ring_of(const Fd& file, unsigned commands) {
  auto made = CommandRing::make(file, commands);
  if (!made) ADD_FAILURE() << describe(made.error());
  return made ? std::move(*made) : nullptr;
}

// /dev/null takes any command, from Linux 6.0 on, and says that it is done.
TEST(CommandRing, TellsOfEachThatIsDone) {
  auto device = sys::open("/dev/null", O_RDWR);
  ASSERT_TRUE(device);
  auto ring = ring_of(*device, 4);
  ASSERT_NE(ring, nullptr);
  std::array<std::byte, CommandRing::command_bytes_max> bytes{};
  for (int round = 0; round < 3; ++round) {
    for (uint64_t tag = 0; tag < 4; ++tag)
      ring->queue({.operation = 1, .bytes = bytes, .tag = tag});
    std::multiset<uint64_t> done;
    while (done.size() < 4) {
      auto waited = ring->wait([&](uint64_t tag, int result) {
        EXPECT_EQ(result, 0);
        done.insert(tag);
      });
      ASSERT_TRUE(waited) << describe(waited.error());
    }
    EXPECT_EQ(done, (std::multiset<uint64_t>{0, 1, 2, 3}));
  }
}

TEST(CommandRing, SaysWhatTheDriverSays) {
  auto file = sys::open("/proc/self/exe", O_RDONLY);  // there is no driver
  ASSERT_TRUE(file);
  auto ring = ring_of(*file, 1);
  ASSERT_NE(ring, nullptr);
  ring->queue({.operation = 1, .bytes = {}, .tag = 7});
  int said = 0;
  while (said == 0) {
    auto waited = ring->wait([&](uint64_t tag, int result) {
      EXPECT_EQ(tag, 7U);
      said = result;
    });
    ASSERT_TRUE(waited) << describe(waited.error());
  }
  EXPECT_EQ(said, -EOPNOTSUPP);
}

TEST(CommandRing, IsWokenEachTime) {
  auto device = sys::open("/dev/null", O_RDWR);
  ASSERT_TRUE(device);
  auto ring = ring_of(*device, 1);
  ASSERT_NE(ring, nullptr);
  std::atomic<int> asked = 0;
  std::atomic<int> woken = 0;
  std::jthread waker([&] {
    for (int i = 1; i <= 100; ++i) {
      asked = i;
      ring->wake();
      woken.wait(i - 1);
    }
  });
  for (int i = 1; i <= 100; ++i) {
    auto waited = ring->wait([](uint64_t, int) { ADD_FAILURE() << "nothing was asked for"; });
    ASSERT_TRUE(waited) << describe(waited.error());
    EXPECT_EQ(asked, i);
    woken = i;
    woken.notify_one();
  }
}

}  // namespace
}  // namespace lyr::sys
