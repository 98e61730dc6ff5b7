// SPDX-License-Identifier: Apache-2.0
// Random operations on the union and on a plain copy of the same tree: every outcome, and every so
// often the whole trees, must be the same, over remounts too. LYR_SEED=N runs one seed again, in
// the place of the random one; LYR_OPERATIONS=N says how many.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <random>

#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

// What a union is compared with: a plain directory. To root of a user namespace overlayfs renames
// no directory of the image, and so it has overlayfs over a plain directory beside it there.
class Beside {
 public:
  Beside(const std::string& base, Below below)
      : base_(base), path_(base + "/plain"), links_(links_compared(below)) {
    overlaid_ = below == Below::overlayfs && in_user_namespace();
    plant(image(), overlaid_ || below != Below::overlayfs);  // which parts what has several names
    if (!overlaid_) return;
    links_ = Links::counted;
    UnionMount::enter_private_namespace();
    for (const char* directory : {"/plain", "/kernel_upper", "/kernel_work"})
      fs::create_directories(base_ + directory);
    mount();
  }
  ~Beside() {
    if (overlaid_) umount(path_.c_str());
  }
  const std::string& path() const { return path_; }
  Links links() const { return links_; }
  std::string image() const { return overlaid_ ? base_ + "/layer" : path_; }
  void remount() {
    if (!overlaid_) return;
    EXPECT_EQ(umount(path_.c_str()), 0) << strerror(errno);
    mount();
  }

 private:
  void mount() {
    std::string options = "xino=on,metacopy=off,index=off,userxattr,lowerdir=" + image() +
                          ",upperdir=" + base_ + "/kernel_upper,workdir=" + base_ + "/kernel_work";
    EXPECT_EQ(::mount("overlay", path_.c_str(), "overlay", MS_NODEV, options.c_str()), 0)
        << strerror(errno);
  }

  std::string base_, path_;
  Links links_;
  bool overlaid_ = false;
};

void play_seed(uint64_t seed, int operations, Below below,
               std::function<void(Options&)> adjust = {}, bool user_marks = false) {
  SCOPED_TRACE("LYR_SEED=" + std::to_string(seed));
  std::string base = fs::temp_directory_path() / ("lyr-differential." + std::to_string(getpid()));
  fs::remove_all(base);
  {
    Beside beside(base, below);
    const std::string& plain = beside.path();
    auto settings = settings_for(below);
    if (adjust) settings.adjust = std::move(adjust);
    if (user_marks) settings.trusted_xattrs = false;
    UnionMount mounted(base + "/scratch", beside.image(), settings);
    auto compare = [&] {
      return differences(snapshot(mounted.path(), false, beside.links()),
                         snapshot(plain, false, beside.links()));
    };
    Player player(mounted.path(), plain, seed);
    int effective = 0;  // operations that did something: too few, and the test would prove nothing
    for (int i = 0; i < operations; ++i) {
      std::string left, right;
      std::string what = player.step(left, right);
      effective += left.starts_with("ok") || left.starts_with("read") ? 1 : 0;
      ASSERT_EQ(left, right) << "operation " << i << ": " << what;
      if (i % 500 != 499) continue;
      if (i % 2000 == 1999) {
        player.close_all();
        mounted.remount();
        beside.remount();
      }
      ASSERT_EQ(compare(), "") << "after operation " << i << ": " << what;
    }
    player.close_all();
    ASSERT_EQ(compare(), "");
    EXPECT_GT(effective, operations / 25);
  }
  fs::remove_all(base);
}

class Differential : public testing::TestWithParam<Below> {
 protected:
  void SetUp() override {
    if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  }
};

TEST_P(Differential, FixedSeeds) {
  // The last two found a file that was copied up when none of its names was known any more.
  for (uint64_t seed : {1ULL, 2ULL, 3ULL, 3452924880ULL, 4038731138ULL}) {
    play_seed(seed, operations_of_run(20000), GetParam());
    if (HasFatalFailure()) return;
  }
}

TEST_P(Differential, RandomSeed) {
  const char* text = getenv("LYR_SEED");
  uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::printf("LYR_SEED=%llu\n", static_cast<unsigned long long>(seed));
  play_seed(seed, operations_of_run(20000), GetParam());
}

// A file of the image is copied up, gets a further name, and one is looked up anew: overlayfs has
// to see that it knows the file. Operation 1712 of the first exchanges the names, the other one
// copies by one name what was appended by the other.
TEST(DifferentialOverlayfs, NamesOfOneCopy) {
  play_seed(1535836245, 2000, Below::overlayfs);
  play_seed(3369738839, 20000, Below::overlayfs);
}

// As without the host's rights.
TEST(DifferentialUserMarks, AreAsGood) {
  for (Below below : {Below::tree, Below::directories})
    play_seed(7, operations_of_run(20000), below, {}, true);
}

TEST(DifferentialOverridden, OwnersInAttributes) {
  for (bool security : {false, true}) {
    play_seed(security ? 5 : 6, operations_of_run(20000), Below::directories,
              [=](Options& options) {
                options.ownership = Ownership::overridden;
                options.security_stat = security;
              });
  }
}

INSTANTIATE_TEST_SUITE_P(Lower, Differential, testing::ValuesIn(every_mode()), mode_name);

}  // namespace
}  // namespace lyr::unionfs
