// SPDX-License-Identifier: Apache-2.0
// Stacks of layers that kernel overlayfs itself has written, each over the ones before: lyr shows
// of them what the kernel shows, and the two take turns in writing one upper. Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr int layers = 7;
constexpr int changes_a_layer = 120;

// Random changes of a tree by names that collide often.
class Changer {
 public:
  explicit Changer(uint64_t seed) : random_(seed) {}

  void change(const std::string& root) {
    std::string one = root + pick(), two = root + pick();
    const char* p = one.c_str();
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2: {
        std::error_code ignored;
        fs::create_directories(one, ignored);
        static_cast<void>(chmod(p, 0700 | (random_() % 64)));
        break;
      }
      case 3:
      case 4:
        std::ofstream(one, std::ios::app) << random_();
        break;
      case 5:
        static_cast<void>(rename(p, two.c_str()));
        break;
      case 6:
        static_cast<void>(lchown(p, random_() % 100, random_() % 100));
        break;
      case 7:
        static_cast<void>(symlink(two.c_str(), p));
        break;
      case 8: {
        std::error_code ignored;
        if (random_() % 4 == 0) fs::remove_all(one, ignored);
        fs::remove(one, ignored);
        break;
      }
      default: {
        std::error_code ignored;
        if (fs::is_symlink(fs::symlink_status(one, ignored)))
          break;  // whose attributes lyr has not
        const char* names[] = {"user.color", "trusted.overlay.opaque", "trusted.overlay.a"};
        static_cast<void>(lsetxattr(p, names[random_() % 3], "y", 1, 0));
      }
    }
  }

 private:
  std::string pick() {
    std::string path;
    for (uint64_t depth = random_() % 4 + 1; depth > 0; --depth)
      path += std::string("/") + static_cast<char>('a' + random_() % 5);
    return path;
  }
  std::mt19937_64 random_;
};

class Layers : public testing::TestWithParam<uint64_t> {
 protected:
  Layers() : base_(fs::temp_directory_path() / ("lyr-stack." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    for (const char* name : {"/merged", "/empty", "/work"}) fs::create_directories(base_ + name);
    UnionMount::enter_private_namespace();
  }
  ~Layers() override {
    umount2((base_ + "/merged").c_str(), MNT_DETACH);
    fs::remove_all(base_);
  }

  // What the kernel shows of directories, the first on top; `upper` may be changed by `act`.
  template <class Act>
  void with_overlayfs(const std::vector<std::string>& lower, const std::string& upper, Act act) {
    std::string options = "index=off,redirect_dir=on,lowerdir=";
    for (const std::string& layer : lower) options += (layer == lower.front() ? "" : ":") + layer;
    if (!upper.empty()) options += ",upperdir=" + upper + ",workdir=" + base_ + "/work";
    std::string merged = base_ + "/merged";
    ASSERT_EQ(::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()), 0)
        << strerror(errno);
    act(merged);
    ASSERT_EQ(umount(merged.c_str()), 0);
  }

  // Directories that the kernel wrote, the newest first.
  std::vector<std::string> make_layers(Changer& changer) {
    std::vector<std::string> made{base_ + "/0"};
    fs::create_directory(made.front());
    for (int i = 0; i < changes_a_layer; ++i) changer.change(made.front());
    for (int layer = 1; layer < layers; ++layer) {
      std::string upper = base_ + "/" + std::to_string(layer);
      fs::create_directory(upper);
      with_overlayfs(made, upper, [&](const std::string& merged) {
        for (int i = 0; i < changes_a_layer; ++i) changer.change(merged);
      });
      made.insert(made.begin(), upper);
    }
    return made;
  }

  std::string base_;
};

TEST_P(Layers, ShowAsOverlayfsShowsThem) {
  Changer changer(GetParam());
  auto made = make_layers(changer);
  UnionMount mounted(base_ + "/scratch", "", {.plain_lower = true, .layers = made});
  with_overlayfs(made, "", [&](const std::string& merged) {
    auto by_kernel = snapshot(merged, true);
    EXPECT_GT(by_kernel.size(), 10U);
    EXPECT_EQ(differences(snapshot(mounted.path(), true), by_kernel), "");
  });
}

TEST_P(Layers, AnUpperIsWrittenByBothInTurn) {
  Changer changer(GetParam());
  auto lower = make_layers(changer);
  UnionMount mounted(base_ + "/scratch", "", {.plain_lower = true, .layers = lower});
  for (int turn = 0; turn < 3; ++turn) {
    for (int i = 0; i < changes_a_layer; ++i) changer.change(mounted.path());
    auto by_lyr = snapshot(mounted.path(), true);
    mounted.unmount();
    with_overlayfs(lower, mounted.upper(), [&](const std::string& merged) {
      EXPECT_EQ(differences(snapshot(merged, true), by_lyr), "") << "turn " << turn;
      for (int i = 0; i < changes_a_layer; ++i) changer.change(merged);
      by_lyr = snapshot(merged, true);
    });
    mounted.mount();
    EXPECT_EQ(differences(snapshot(mounted.path(), true), by_lyr), "") << "turn " << turn;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Layers, testing::Range<uint64_t>(1, 9));

// Where nobody has asked for all names of a file.
TEST(Layers, RemovedNamesAreCounted) {
  std::string base = fs::temp_directory_path() / ("lyr-names." + std::to_string(getpid()));
  fs::remove_all(base);
  fs::create_directories(base + "/layer/d");
  std::ofstream(base + "/layer/a") << "text";
  fs::create_hard_link(base + "/layer/a", base + "/layer/b");
  fs::create_hard_link(base + "/layer/a", base + "/layer/d/c");
  {
    UnionMount::Settings settings;
    settings.plain_lower = true;
    settings.layers = {base + "/layer"};
    settings.adjust = [](Options& options) { options.writeback = false; };
    UnionMount mounted(base + "/scratch", "", settings);
    int file = open((mounted.path() + "/a").c_str(), O_RDONLY);
    auto links = [&] {
      struct stat status{};
      EXPECT_EQ(fstat(file, &status), 0);
      return status.st_nlink;
    };
    EXPECT_EQ(links(), 3U);
    for (nlink_t left = 3; const char* name : {"/a", "/b", "/d/c"}) {
      EXPECT_TRUE(fs::remove(mounted.path() + name));
      EXPECT_EQ(links(), --left) << name;
    }
    close(file);
  }
  fs::remove_all(base);
}

TEST(Layers, KeepTheTimesOfTheirFiles) {
  std::string base = fs::temp_directory_path() / ("lyr-times." + std::to_string(getpid()));
  fs::remove_all(base);
  fs::create_directories(base + "/layer");
  std::ofstream(base + "/layer/f") << "text";
  struct timespec times[2] = {{1000, 1}, {2000, 2}};
  ASSERT_EQ(utimensat(AT_FDCWD, (base + "/layer/f").c_str(), times, 0), 0);
  {
    UnionMount::Settings settings;
    settings.plain_lower = true;
    settings.layers = {base + "/layer"};
    UnionMount mounted(base + "/scratch", "", settings);
    std::string file = mounted.path() + "/f";
    auto shown = [&] {
      struct stat status{};
      EXPECT_EQ(stat(file.c_str(), &status), 0);
      return std::pair(std::pair(status.st_atim.tv_sec, status.st_atim.tv_nsec),
                       std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
    };
    std::pair expected{std::pair{1000L, 1L}, std::pair{2000L, 2L}};
    EXPECT_EQ(shown(), expected);
    ASSERT_EQ(chmod(file.c_str(), 0600), 0);
    mounted.remount();
    EXPECT_EQ(shown(), expected) << "after copy-up";
  }
  fs::remove_all(base);
}

}  // namespace
}  // namespace lyr::unionfs
