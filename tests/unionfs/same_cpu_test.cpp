// SPDX-License-Identifier: Apache-2.0
#include "unionfs/same_cpu.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"

namespace lyr::unionfs {
namespace {

constexpr int64_t short_gap_ns = 5'000;
constexpr int64_t long_gap_ns = 50'000;
constexpr uint32_t nobody = std::numeric_limits<int32_t>::max();  // a thread that there is not
constexpr int64_t for_ever = std::numeric_limits<int64_t>::max();

// Of `count` requests, each `gap` after the answer before it: how many change sides.
int changes(Side& side, int count, int64_t gap) {
  int changed = 0;
  for (int i = 0; i < count; ++i) changed += side.changes(gap) ? 1 : 0;
  return changed;
}

TEST(Side, StaysWhereRequestsComeQuickly) {
  Side side;
  EXPECT_EQ(changes(side, 10'000, short_gap_ns), 0);
}

TEST(Side, OneSlowRequestIsForgiven) {
  Side side;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(changes(side, 50, short_gap_ns), 0);
    EXPECT_EQ(changes(side, 1, 1000 * long_gap_ns), 0);
  }
}

TEST(Side, FollowsWhoAsks) {
  Side side;
  changes(side, 1000, short_gap_ns);
  EXPECT_EQ(changes(side, 12, long_gap_ns), 1);
  EXPECT_EQ(changes(side, 1000, short_gap_ns), 0) << "it is short_gap_ns here";
}

// Who works for long between requests is as long_gap_ns on either side.
TEST(Side, SeldomTriesWhereNeitherIsQuick) {
  Side side;
  EXPECT_LE(changes(side, 10'000, long_gap_ns), 24);
}

// The gaps of a program that is short_gap_ns on side 1, and long_gap_ns on side 0.
TEST(Side, ComesBackFromATrialThatWasWorse) {
  Side side;
  int at = 1;
  int there = 0;
  constexpr int64_t works = 30'000;  // itself, between two requests
  for (int i = 0; i < 10'000; ++i) {
    there += at;
    if (side.changes(at == 1 ? works : works + long_gap_ns)) at = 1 - at;
  }
  EXPECT_GT(there, 9'500);
}

// Runs `body` where there are two CPUs; false: this machine has one.
template <typename Body>
bool on_two_cpus(const Body& body, Askers askers = Askers::here()) {
  auto cpus = sys::cpus_allowed();
  if (!cpus || cpus->size() < 2) return false;
  std::thread([&] {
    cpus->resize(2);
    ASSERT_TRUE(sys::allow_cpus(*cpus));
    SameCpu same_cpu(askers);
    ASSERT_TRUE(same_cpu.possible());
    body(same_cpu, *cpus);
  }).join();
  return true;
}

std::vector<int> allowed() { return sys::cpus_allowed().value_or(std::vector<int>()); }

TEST(SameCpu, KeepsTheCallerOnOneCpuUntilItIsTold) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>& cpus) {
    EXPECT_EQ(same_cpu.running(), 0);
    same_cpu.keep_until(for_ever, short_gap_ns, nobody);
    EXPECT_EQ(allowed().size(), 1u);
    EXPECT_EQ(same_cpu.running(), 1);
    same_cpu.stop();
    EXPECT_EQ(allowed(), cpus);
    while (same_cpu.running() != 0) std::this_thread::yield();
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

TEST(SameCpu, ChangesTheCpuWhenRequestsComeSlowly) {
  bool done = on_two_cpus(
      [](SameCpu& same_cpu, const std::vector<int>&) {
        same_cpu.keep_until(for_ever, short_gap_ns, nobody);
        std::vector<int> first = allowed();
        for (int i = 0; i < 20 && allowed() == first; ++i)
          same_cpu.keep_until(for_ever, long_gap_ns, nobody);
        EXPECT_EQ(allowed().size(), 1u);
        EXPECT_NE(allowed(), first);
      },
      Askers());
  EXPECT_EQ(done, allowed().size() >= 2);
}

// Who asks from outside the pid namespace of who mounted has no number.
TEST(SameCpu, TriesBothCpusForThoseWhoHaveNoNumber) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>&) {
    same_cpu.keep_until(for_ever, short_gap_ns, 0);
    std::vector<int> first = allowed();
    for (int i = 0; i < 200 && allowed() == first; ++i)
      same_cpu.keep_until(for_ever, long_gap_ns, 0);
    EXPECT_NE(allowed(), first);
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

// A thread that sleeps on a CPU.
class Asker {
 public:
  explicit Asker(int cpu)
      : thread_([this, cpu] {
          EXPECT_TRUE(sys::allow_cpus(std::span(&cpu, 1)));
          number_ = static_cast<uint32_t>(gettid());
          number_.notify_one();
          over_.wait(false);
        }) {
    number_.wait(0);
  }
  ~Asker() {
    over_ = true;
    over_.notify_one();
  }
  uint32_t number() const { return number_; }

 private:
  std::atomic<uint32_t> number_ = 0;
  std::atomic<bool> over_ = false;
  std::jthread thread_;
};

void ask(SameCpu& same_cpu, int times, uint32_t asker) {
  for (int i = 0; i < times; ++i) same_cpu.keep_until(for_ever, long_gap_ns, asker);
}

// What one thread finds out counts for the other some time later.
template <typename Ask>
void ask_until_on(int cpu, const Ask& ask_once) {
  while (allowed() != std::vector<int>{cpu}) {
    ask_once();
    std::this_thread::yield();
  }
}

// On either CPU, however slow it is: it tries none where /proc tells.
TEST(SameCpu, GoesWhereWhoAsksIs) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>& cpus) {
    for (int cpu : {cpus[0], cpus[1], cpus[0]}) {
      Asker asker(cpu);
      EXPECT_EQ(cpu_of_thread(asker.number()), cpu);
      ask_until_on(cpu, [&] { ask(same_cpu, 1, asker.number()); });
      for (int i = 0; i < 1000; ++i) {
        ask(same_cpu, 1, asker.number());
        EXPECT_EQ(allowed(), std::vector<int>{cpu}) << i;
      }
    }
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

// And where he is not, when both work at the same time.
TEST(SameCpu, KeepsApartFromWhoAsks) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>& cpus) {
    for (size_t side : {0, 1, 0}) {
      int other = cpus[1 - side];
      Asker asker(cpus[side]);
      ask_until_on(cpus[side], [&] { ask(same_cpu, 1, asker.number()); });
      same_cpu.keep_apart_until(for_ever, 0);
      EXPECT_EQ(allowed(), std::vector<int>{other}) << "together with him it was where he is";
      EXPECT_EQ(same_cpu.running(), 1);
      ask_until_on(other, [&] { same_cpu.keep_apart_until(for_ever, asker.number()); });
      Asker moved(other);
      ask_until_on(cpus[side], [&] { same_cpu.keep_apart_until(for_ever, moved.number()); });
      for (int i = 0; i < 1000; ++i) same_cpu.keep_apart_until(for_ever, 0);
      EXPECT_EQ(allowed(), std::vector<int>{cpus[side]}) << "nobody is anywhere";
      ask(same_cpu, 1, moved.number());
      EXPECT_EQ(allowed(), std::vector<int>{other}) << "apart from him it was where he is not";
    }
    same_cpu.stop();
    EXPECT_EQ(allowed(), cpus);
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

// Threads that are gone by the time it looks are not the last ones that ask.
TEST(SameCpu, LooksAgainAfterThoseThatWereGone) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>& cpus) {
    ask(same_cpu, 1000, nobody);
    for (int cpu : {cpus[1], cpus[0]}) {
      Asker asker(cpu);
      ask_until_on(cpu, [&] { ask(same_cpu, 1, asker.number()); });
    }
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

TEST(HoldCpu, DoesAnErrandOfWhoDoesNotWait) {
  HoldCpu hold([](uint32_t about) { return static_cast<int>(about) * 2; });
  if (!hold.possible()) return;
  EXPECT_EQ(hold.back(), std::nullopt);
  for (uint32_t about : {21u, 4u}) {
    hold.send(about);
    std::optional<int> found;
    while (!found) {
      ASSERT_TRUE(hold.keep(0, for_ever));
      found = hold.back();
      std::this_thread::yield();
    }
    EXPECT_EQ(found, static_cast<int>(about) * 2);
    EXPECT_EQ(hold.back(), std::nullopt);
  }
}

// Else who serves could come to wait for himself, see cpu_of_thread().
TEST(HoldCpu, DoesItOnAThreadOfItsOwn) {
  HoldCpu hold([](uint32_t) { return static_cast<int>(gettid()); });
  if (!hold.possible()) return;
  hold.send(1);
  std::optional<int> thread;
  while (!thread) {
    ASSERT_TRUE(hold.keep(0, for_ever));
    thread = hold.back();
    std::this_thread::yield();
  }
  EXPECT_NE(*thread, gettid());
}

TEST(Askers, AreFoundBelowTheServersPidNamespace) {
  auto [ours, theirs] = sys::socket_pair(SOCK_STREAM).value();
  auto child = sys::clone_process(CLONE_NEWUSER | CLONE_NEWPID);
  ASSERT_TRUE(child) << describe(child.error());
  if (child->pid == 0) {
    ours.reset();
    std::byte end;
    static_cast<void>(sys::read(theirs, {&end, 1}));
    _exit(0);
  }
  auto namespace_of = [](pid_t pid) {
    return sys::open(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), O_RDONLY).value();
  };
  auto self = static_cast<uint32_t>(getpid());
  bool told = Askers::in(namespace_of(getpid())).thread(self) == self;  // from Linux 6.11 on
  Askers askers = Askers::in(namespace_of(child->pid));
  EXPECT_TRUE(askers.known());
  EXPECT_EQ(askers.thread(1), told ? static_cast<uint32_t>(child->pid) : 0);
  EXPECT_EQ(askers.thread(2), 0u);
  EXPECT_EQ(askers.thread(0), 0u);
  ours.reset();
  EXPECT_TRUE(sys::wait_pidfd(child->pidfd));
}

TEST(Askers, HaveTheServersNumbersWhereItMounted) {
  EXPECT_EQ(Askers::here().thread(7), 7u);
  EXPECT_FALSE(Askers().known());
  EXPECT_EQ(Askers().thread(7), 0u);
}

TEST(SameCpu, OnlyOfAThreadThatThereIsSomethingIsTold) {
  EXPECT_EQ(cpu_of_thread(nobody), std::nullopt);
  EXPECT_NE(cpu_of_thread(static_cast<uint32_t>(gettid())), std::nullopt);
}

TEST(SameCpu, SleepsWhenItsTimeIsOverAndWakesAgain) {
  bool done = on_two_cpus([](SameCpu& same_cpu, const std::vector<int>&) {
    for (int i = 0; i < 100; ++i) {
      same_cpu.keep_until(1, short_gap_ns, nobody);  // long past
      while (same_cpu.running() != 0) std::this_thread::yield();
    }
  });
  EXPECT_EQ(done, allowed().size() >= 2);
}

TEST(SameCpu, EndsWhileItFallsAsleep) {
  auto cpus = sys::cpus_allowed();
  ASSERT_TRUE(cpus);
  if (cpus->size() > 2) cpus->resize(2);
  Askers askers;
  std::thread([&] {
    ASSERT_TRUE(sys::allow_cpus(*cpus));
    for (int i = 0; i < 5000; ++i) {
      SameCpu same_cpu(askers);
      if (!same_cpu.possible()) continue;
      int64_t over = sys::now_monotonic_ns() + 100'000;
      same_cpu.keep_until(over, short_gap_ns, nobody);
      int64_t end = over - 1000 + i % 50 * 100;
      while (sys::now_monotonic_ns() < end) continue;
    }
  }).join();
}

TEST(SameCpu, IsNotPossibleWithOneCpu) {
  std::thread([] {
    int cpu = sys::current_cpu();
    ASSERT_TRUE(sys::allow_cpus({&cpu, 1}));
    Askers askers = Askers::here();
    SameCpu same_cpu(askers);
    EXPECT_FALSE(same_cpu.possible());
  }).join();
}

}  // namespace
}  // namespace lyr::unionfs
