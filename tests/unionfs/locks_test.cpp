// SPDX-License-Identifier: Apache-2.0
// Locks exclude who they exclude on a plain directory, also once the file is copied up.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/fd.h"
#include "base/sys_event.h"
#include "tests/unionfs/descriptors.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class Locks : public Descriptors {
 protected:
  enum class Lock { flock, of_process, of_description };
  static constexpr Lock every_lock[] = {Lock::flock, Lock::of_process, Lock::of_description};

  // Ten bytes from `at` on, but of a whole file by flock.
  static int lock(const Fd& file, Lock kind, short type, off_t at = 0, bool waits = false) {
    if (kind == Lock::flock) {
      int how = type == F_UNLCK ? LOCK_UN : type == F_WRLCK ? LOCK_EX : LOCK_SH;
      return flock(file.get(), how | (waits ? 0 : LOCK_NB));
    }
    struct flock range{};
    range.l_type = type;
    range.l_start = at;
    range.l_len = 10;
    int call = kind == Lock::of_process ? (waits ? F_SETLKW : F_SETLK)
                                        : (waits ? F_OFD_SETLKW : F_OFD_SETLK);
    return fcntl(file.get(), call, &range);
  }
  static std::string tried(const Fd& file, Lock kind, short type, off_t at = 0) {
    std::string said = named(lock(file, kind, type, at));
    lock(file, kind, F_UNLCK, at);
    return said;
  }
  static std::string exclusion(const std::string& path, Lock kind);
  static std::string waiting(const std::string& path, Lock kind);
  static bool waits_for_lock(pid_t process);
};

// Of one lock at a time: who gets what beside it, in this process and in another.
std::string Locks::exclusion(const std::string& path, Lock kind) {
  Fd first = opened(path, O_RDWR | O_CREAT);
  // With it closed this process would have no lock of its own any more.
  Fd second = kind == Lock::of_process ? Fd() : opened(path, O_RDWR);
  auto others = [&] {
    std::string said;
    for (short type : {F_RDLCK, F_WRLCK}) {
      for (off_t at : {95, 105, 110}) {
        if (second.valid()) said += tried(second, kind, type, at);
        said += in_child([&] { return tried(opened(path, O_RDWR), kind, type, at); });
      }
    }
    return said + "\n";
  };
  std::string said = others();
  EXPECT_FALSE(said.contains("EAGAIN")) << said;
  for (short type : {F_WRLCK, F_RDLCK}) {
    EXPECT_EQ(lock(first, kind, type, 100), 0);
    std::string beside = others();
    EXPECT_TRUE(beside.contains("EAGAIN")) << beside;
    said += beside;
    if (kind == Lock::of_process) {
      said += in_child([&] {
        struct flock range{};
        range.l_type = F_WRLCK;
        Fd third = opened(path, O_RDWR);
        std::string holder = named(fcntl(third.get(), F_GETLK, &range));
        return holder + std::to_string(range.l_start) + " " + std::to_string(range.l_len) +
               (range.l_pid == getppid() ? " ours" : " another's");
      });
    }
    EXPECT_EQ(lock(first, kind, F_UNLCK, 100), 0);
    said += others();
  }
  EXPECT_EQ(lock(first, kind, F_WRLCK, 100), 0);
  first.reset();
  return said + others();
}

TEST_P(Locks, LocksExcludeOthers) {
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/f", "/new"}) {
      for (Lock kind : every_lock) said += exclusion(root + name, kind);
    }
    return said;
  });
}

bool Locks::waits_for_lock(pid_t process) {
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    if (line.contains("->") && line.contains(" " + std::to_string(process) + " ")) return true;
  }
  return false;
}

std::string Locks::waiting(const std::string& path, Lock kind) {
  Fd holder = opened(path, O_RDWR | O_CREAT);
  EXPECT_EQ(lock(holder, kind, F_WRLCK), 0);
  auto said = sys::pipe();
  pid_t child = fork();
  if (child == 0) {
    holder.reset();
    Fd file = opened(path, O_RDWR);
    std::string text = named(lock(file, kind, F_WRLCK, 0, true));
    text += got(file, 7, 0);
    ssize_t written = write(said->write.get(), text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  said->write.reset();
  siginfo_t ended{};
  while (!waits_for_lock(child) && ended.si_pid == 0) {
    waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
    sched_yield();
  }
  EXPECT_EQ(ended.si_pid, 0) << "did not wait";
  EXPECT_EQ(pwrite(holder.get(), "changed", 7, 0), 7);
  EXPECT_EQ(lock(holder, kind, F_UNLCK), 0);
  std::string text = all_of(said->read);
  await_end(child);
  return text;
}

// /proc/locks does not say who waits for a lock of a description.
TEST_P(Locks, WhoWaitsForALockSeesWhatItsHolderWrote) {
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/f", "/new"}) {
      for (Lock kind : {Lock::flock, Lock::of_process}) said += waiting(root + name, kind);
    }
    return said;
  });
}

TEST_P(Locks, LocksFromBeforeTheCopyGoOn) {
  ASSERT_FALSE(fs::exists(name_in(mounted_->upper(), 0)));
  compare([](const std::string& root) {
    std::string said;
    int file = 0;
    for (Lock kind : every_lock) {
      for (int flags : {O_RDONLY, O_RDWR}) {
        std::string path = name_in(root, file++);
        Fd holder = opened(path, flags);
        short type = kind == Lock::flock || flags == O_RDWR ? F_WRLCK : F_RDLCK;
        EXPECT_EQ(lock(holder, kind, type), 0) << strerrorname_np(errno);
        std::string others = in_child([&] {
          std::string in_turn = named(pwrite(opened(path, O_RDWR).get(), "new", 3, 0));
          Fd other = opened(path, O_RDWR);
          for (short wanted : {F_RDLCK, F_WRLCK}) in_turn += tried(other, kind, wanted);
          return in_turn;
        });
        EXPECT_TRUE(others.contains("EAGAIN")) << others;
        EXPECT_EQ(lock(holder, kind, F_UNLCK), 0);
        said += others + tried(opened(path, O_RDWR), kind, F_WRLCK) + "\n";
      }
    }
    return said;
  });
  EXPECT_TRUE(fs::exists(name_in(mounted_->upper(), 0)));
}

// Where an image's file stays one file under all of its names: overlayfs copies up the name that
// was written to alone.
class UnionLocks : public Locks {};

TEST_P(UnionLocks, LocksFromBeforeTheCopyCountUnderEachName) {
  compare([](const std::string& root) {
    std::string said;
    Fd holder = opened(root + "/d/name", O_RDONLY);
    EXPECT_EQ(lock(holder, Lock::flock, F_WRLCK), 0);
    EXPECT_EQ(lock(holder, Lock::of_description, F_RDLCK), 0);
    said += named(pwrite(opened(root + "/third", O_RDWR).get(), "new", 3, 0));
    for (const char* name : {"/d/name", "/d/inner/second", "/third"}) {
      for (Lock kind : {Lock::flock, Lock::of_description})
        said += tried(opened(root + name, O_RDWR), kind, F_WRLCK);
    }
    EXPECT_FALSE(said.contains(" 0 ")) << said;
    return said;
  });
}

INSTANTIATE_TEST_SUITE_P(Lower, Locks, testing::ValuesIn(every_mode()), mode_name);
INSTANTIATE_TEST_SUITE_P(Lower, UnionLocks, testing::ValuesIn(every_mode_but({Below::overlayfs})),
                         mode_name);

}  // namespace
}  // namespace lyr::unionfs
