// SPDX-License-Identifier: Apache-2.0
// The server is killed at each system call that changes something, and none follows: over plain
// directories, by rings, or because all of a container was killed. Who asks is told at once, and a
// new mount shows what was acknowledged, with or without what was being done.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/unionfs/kill_at.h"
#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

// Each is one change, and fails on no plain directory.
using Act = std::function<bool(const std::string& root)>;

Act shift(const char* from, const char* to, unsigned flags = 0) {
  return [=](const std::string& root) {
    return renameat2(AT_FDCWD, (root + from).c_str(), AT_FDCWD, (root + to).c_str(), flags) == 0;
  };
}
Act make(const char* path) {
  return [=](const std::string& root) { return mkdir((root + path).c_str(), 0751) == 0; };
}
Act make_file(const char* path) {
  return [=](const std::string& root) {
    int file = open((root + path).c_str(), O_CREAT | O_EXCL | O_WRONLY, 0640);
    return file >= 0 && close(file) == 0;
  };
}
// What was not synchronized may be lost.
Act put(const char* path) {
  return [=](const std::string& root) {
    int file = open((root + path).c_str(), O_WRONLY);
    bool done = file >= 0 && pwrite(file, "changed", 7, 3) == 7 && fsync(file) == 0;
    int error = errno;
    if (file >= 0) close(file);
    errno = error;
    return done;
  };
}
Act remove(const char* path) {
  return [=](const std::string& root) { return unlink((root + path).c_str()) == 0; };
}
Act remove_directory(const char* path) {
  return [=](const std::string& root) { return rmdir((root + path).c_str()) == 0; };
}
Act mode(const char* path, mode_t to) {
  return [=](const std::string& root) { return chmod((root + path).c_str(), to) == 0; };
}
Act attribute(const char* path, const char* value) {
  return [=](const std::string& root) {
    return setxattr((root + path).c_str(), "user.a", value, 1, 0) == 0;
  };
}
Act another_name(const char* path, const char* name) {
  return [=](const std::string& root) {
    return link((root + path).c_str(), (root + name).c_str()) == 0;
  };
}
Act cut(const char* path, off_t to) {
  return [=](const std::string& root) { return truncate((root + path).c_str(), to) == 0; };
}

// Files of the image that have several names are left out: they may part.
const std::vector<Act> steps{
    make("/new"),
    make_file("/new/a"),
    put("/new/a"),
    another_name("/new/a", "/new/b"),
    shift("/new/a", "/d3/a"),
    shift("/new/b", "/f10"),
    remove("/f5"),
    make_file("/f5"),
    shift("/d0/d1", "/moved"),
    remove_directory("/d3/empty"),
    make("/d3/empty"),
    shift("/moved", "/d3", RENAME_EXCHANGE),
    shift("/new", "/moved/empty"),
    mode("/d0/f6", 0600),
    mode("/d0", 0700),
    cut("/large", 100'000),
    attribute("/moved/f9", "b"),
    attribute("/moved/f9", "c"),
    put("/moved/f4"),
    remove("/d0/f6"),
    remove("/moved/f9"),
    make("/moved/f9"),
    shift("/d3/d2/f3", "/d3/f2"),
    shift("/d3/d2", "/d2"),
    remove("/d2/f8"),
    remove_directory("/d2"),
    mode("/d3", 0711),
};

// With EINTR a ring's request ends that the kernel was just handing over.
bool says_the_end(int error) {
  static const std::set<int> ends{ENOTCONN, ECONNABORTED, ECANCELED, EINTR};
  return ends.contains(error);
}

class LostServer : public testing::TestWithParam<Below> {
 protected:
  void SetUp() override {
    if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
    base_ = fs::temp_directory_path() / ("lyr-lost-server." + std::to_string(getpid()));
    fs::remove_all(base_);
    plant(base_ + "/planted");
    plant(base_ + "/plain");
    states_.push_back(state_of(base_ + "/plain"));
    for (const Act& step : steps) {
      ASSERT_TRUE(step(base_ + "/plain")) << states_.size() << strerrorname_np(errno);
      states_.push_back(state_of(base_ + "/plain"));
    }
  }
  void TearDown() override { fs::remove_all(base_); }

  using State = std::map<std::string, std::string>;
  static State state_of(const std::string& root) {
    return snapshot(root, false, links_compared(GetParam()));
  }
  // Until there is no server any more: how many steps were done.
  static size_t play(const std::string& root) {
    size_t done = 0;
    while (done < steps.size() && steps[done](root)) ++done;
    if (done == steps.size()) return done;
    CHECK(says_the_end(errno));
    struct stat status{};
    CHECK(stat((root + "/absent").c_str(), &status) != 0 && says_the_end(errno));
    return done;
  }
  // False: there were fewer places than that.
  bool lose(int point, UnionMount& mounted);

  std::string base_;
  std::vector<State> states_;
};

bool LostServer::lose(int point, UnionMount& mounted) {
  struct stat status{};
  CHECK(stat((mounted.path() + "/d0").c_str(), &status) == 0);  // it serves
  auto go = sys::pipe();
  auto said = sys::pipe();
  CHECK(go && said);
  auto client = sys::spawn([&] {
    go->write.reset();
    char none = 0;
    CHECK(read(go->read.get(), &none, 1) == 0);
    size_t done = play(mounted.path());
    return write(said->write.get(), &done, sizeof done) == sizeof done ? 0 : 1;
  });
  CHECK(client);
  bool killed = kill_at(point, mounted.server(), client->pid, std::move(go->write));
  said->write.reset();
  size_t done = 0;
  EXPECT_EQ(read(said->read.get(), &done, sizeof done), static_cast<ssize_t>(sizeof done));
  mounted.remount();
  State found = state_of(mounted.path());
  if (done < steps.size() && found == states_[done + 1]) return killed;
  EXPECT_EQ(differences(found, states_[done]), "") << "after " << done << " steps";
  EXPECT_TRUE(fs::is_empty(base_ + "/scratch/work")) << "after " << done << " steps";
  return killed;
}

TEST_P(LostServer, WhatItAcknowledgedStays) {
  UnionMount image(base_ + "/image", base_ + "/planted", settings_for(GetParam()));
  int point = 0;
  // Before each call: what was there after it is there before the next one.
  for (bool killed = true; killed && !HasFailure(); point += 2) {
    SCOPED_TRACE(point);
    fs::remove_all(base_ + "/scratch");
    UnionMount mounted(base_ + "/scratch", image);
    killed = lose(point, mounted);
  }
  std::printf("%d points\n", point);
  EXPECT_GT(point, 100);
}

// In hybrid mode the upper is the kernel's.
INSTANTIATE_TEST_SUITE_P(Lower, LostServer, testing::ValuesIn(every_mode_but({Below::overlayfs})),
                         mode_name);

}  // namespace
}  // namespace lyr::unionfs
