// SPDX-License-Identifier: Apache-2.0
// An upper without room: what fails has changed nothing, what succeeded stays, and the server's
// picture of the upper is the upper's own. Operations that succeed are repeated on a plain
// directory; the limit is a tmpfs's count of inodes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <tuple>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr int spare_inodes = 12;
constexpr uint64_t inodes_max = 1 << 20;  // a limit that may be lowered, but none is reached

void plant_few(const std::string& root, bool links) {
  for (const char* path : {"/a/b/c", "/d/e", "/g"}) fs::create_directories(root + path);
  for (const char* path : {"/f0", "/a/f1", "/a/b/f2", "/d/f0", "/d/e/f1", "/g/f2"})
    std::ofstream(root + path) << path;
  if (!links) return;
  fs::create_hard_link(root + "/a/f1", root + "/d/h");
  fs::create_hard_link(root + "/a/f1", root + "/a/b/h");
}

class FullDisk : public testing::TestWithParam<std::tuple<Below, uint64_t>> {
 protected:
  FullDisk() : base_(fs::temp_directory_path() / ("lyr-full." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    plain_ = base_ + "/plain";
    scratch_ = base_ + "/scratch";
    fs::create_directories(scratch_);
    plant_few(plain_, mode() != Below::overlayfs);  // which parts what has several names
    UnionMount::enter_private_namespace();
    limit(inodes_max);
  }
  void SetUp() override {
    if (!can_be_had(mode())) GTEST_SKIP() << "this kernel has no " << name_of(mode());
    mounted_.emplace(scratch_, plain_, settings_for(mode()));
    expect_consistent("at first");  // and so it serves
  }
  ~FullDisk() override {
    mounted_.reset();
    umount(scratch_.c_str());
    fs::remove_all(base_);
  }

  static Below mode() { return std::get<Below>(GetParam()); }

  // No more than `inodes` on the disk.
  void limit(uint64_t inodes) {
    std::string options = "size=64m,nr_inodes=" + std::to_string(inodes);
    bool again = mounted_.has_value();
    ASSERT_EQ(mount("tmpfs", scratch_.c_str(), "tmpfs", again ? MS_REMOUNT : 0, options.c_str()), 0)
        << strerror(errno);
  }

  // Leaves room for `spare` more.
  void fill(uint64_t spare) {
    limit(inodes_max);
    struct statfs status{};
    ASSERT_EQ(statfs(scratch_.c_str(), &status), 0);
    limit(status.f_files - status.f_ffree + spare);
  }

  std::string difference() const {
    return differences(snapshot(mounted_->path(), false, links_compared(mode())),
                       snapshot(plain_, false, links_compared(mode())));
  }
  void expect_consistent(const std::string& what) {
    EXPECT_EQ(difference(), "") << what;
    if (mode() == Below::overlayfs) limit(inodes_max);  // it makes its work directory anew
    mounted_->remount();
    EXPECT_EQ(difference(), "") << what << ", after a new mount";
  }

  std::string base_, plain_, scratch_;
  std::optional<UnionMount> mounted_;
};

class Steps {
 public:
  explicit Steps(uint64_t seed) : random_(seed) {}

  void choose() {
    kind_ = random_() % 9;
    one_ = pick();
    two_ = pick();
  }

  int act(const std::string& root) const {
    std::string path = root + one_, other = root + two_;
    switch (kind_) {
      case 0:
        return mkdir(path.c_str(), 0755);
      case 1:
        return rmdir(path.c_str());
      case 2:
        return unlink(path.c_str());
      case 3:
      case 4:
        return rename(path.c_str(), other.c_str());
      case 5:
        return linkat(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), 0);
      case 6:
        return chmod(path.c_str(), 0700);
      case 7:
        return mkfifo(path.c_str(), 0600);
      default:
        return renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
    }
  }

  std::string text() const { return std::to_string(kind_) + " " + one_ + " " + two_; }

 private:
  std::string pick() {
    static const std::array directories{"", "/a", "/a/b", "/a/b/c", "/d", "/d/e", "/g"};
    static const std::array names{"f0", "f1", "f2", "h", "a", "b", "c", "d", "e", "g", "n"};
    return std::string(directories[random_() % directories.size()]) + "/" +
           names[random_() % names.size()];
  }

  std::mt19937_64 random_;
  uint64_t kind_ = 0;
  std::string one_, two_;
};

TEST_P(FullDisk, WhatFailsChangesNothing) {
  Steps steps(std::get<uint64_t>(GetParam()));
  int full = 0;
  for (int i = 0; i < 4000; ++i) {
    if (i % 40 == 0) fill(static_cast<uint64_t>(i / 40 % spare_inodes));
    steps.choose();
    if (steps.act(mounted_->path()) == 0) {
      ASSERT_EQ(steps.act(plain_), 0) << i << ": " << steps.text();
    } else {
      full += errno == ENOSPC ? 1 : 0;
      ASSERT_TRUE(errno != EIO && errno != ESTALE && errno != ENOTCONN)
          << i << ": " << steps.text() << " " << strerror(errno);
    }
    if (i % 40 == 39) {
      expect_consistent("after step " + std::to_string(i) + ": " + steps.text());
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(full, 40);  // else this would prove nothing
}

// Copies that could not be finished are not left in the work directory.
TEST_P(FullDisk, FailuresLeaveNoRubbish) {
  std::string work = scratch_ + (mode() == Below::overlayfs ? "/work/work" : "/work");
  fill(2);  // the copy, but not its directories
  ASSERT_EQ(chmod((mounted_->path() + "/a/b/f2").c_str(), 0600), -1);
  EXPECT_TRUE(fs::is_empty(work));
  fill(0);
  ASSERT_EQ(unlink((mounted_->path() + "/f0").c_str()), -1);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_TRUE(fs::is_empty(work));
  expect_consistent("after failures");
}

INSTANTIATE_TEST_SUITE_P(Lower, FullDisk,
                         testing::Combine(testing::ValuesIn(every_mode()),
                                          testing::Values(3, 4, 7)),
                         [](const auto& instance) {
                           return name_of(std::get<Below>(instance.param)) +
                                  std::to_string(std::get<uint64_t>(instance.param));
                         });

}  // namespace
}  // namespace lyr::unionfs
