// SPDX-License-Identifier: Apache-2.0
// What overlayfs writes with metacopy=on, files whose content is in a layer below, has its content
// in the union too, as a layer and as the upper. Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class Metacopy : public testing::Test {
 protected:
  Metacopy() : base_(fs::temp_directory_path() / ("lyr-metacopy." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ + "/low/d/inner");
    fs::create_directories(base_ + "/overlay");
    for (const char* path : {"/f", "/gone", "/moved", "/d/g", "/d/inner/h", "/d/out", "/linked"})
      std::ofstream(base_ + "/low" + path) << "content of " << path;
    std::ofstream(base_ + "/low/large") << std::string(300000, 'l');
    UnionMount::enter_private_namespace();
  }
  ~Metacopy() override { fs::remove_all(base_); }

  // Has the kernel change attributes there, then names; the result is what it shows at the end.
  std::map<std::string, std::string> by_overlayfs(const std::string& lower,
                                                  const std::string& upper, mode_t mode) {
    fs::create_directories(upper);
    fs::create_directories(base_ + "/kernel_work");
    std::string options = "metacopy=on,redirect_dir=on,index=off,lowerdir=" + lower +
                          ",upperdir=" + upper + ",workdir=" + base_ + "/kernel_work";
    std::string at = base_ + "/overlay";
    if (mount("overlay", at.c_str(), "overlay", 0, options.c_str()) != 0) {
      ADD_FAILURE() << strerror(errno);
      return {};
    }
    for (const auto& entry : fs::recursive_directory_iterator(at)) {
      if (entry.is_regular_file()) fs::permissions(entry.path(), static_cast<fs::perms>(mode));
    }
    auto move = [&](const char* from, const char* to) {
      if (fs::exists(at + from)) fs::rename(at + from, at + to);
    };
    move("/moved", "/d/inner/here");
    move("/d/out", "/out");
    move("/d", "/e");
    auto shown = snapshot(at, true);
    EXPECT_EQ(umount(at.c_str()), 0);
    return shown;
  }

  std::string base_;
};

TEST_F(Metacopy, OfALayerHasTheContentBelow) {
  by_overlayfs(base_ + "/low", base_ + "/middle", 0640);
  auto expected = by_overlayfs(base_ + "/middle:" + base_ + "/low", base_ + "/top", 0600);
  ASSERT_GT(getxattr((base_ + "/top/f").c_str(), "trusted.overlay.metacopy", nullptr, 0), -1);
  ASSERT_GT(getxattr((base_ + "/middle/f").c_str(), "trusted.overlay.metacopy", nullptr, 0), -1);
  UnionMount::Settings settings;
  settings.plain_lower = true;
  settings.layers = {base_ + "/top", base_ + "/middle", base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", settings);
  EXPECT_EQ(differences(snapshot(mounted.path(), true), expected), "");
  EXPECT_EQ(read_or_error(mounted.path() + "/e/inner/here"), "content of /moved");
  // A copy has it, too.
  ASSERT_EQ(truncate((mounted.path() + "/e/g").c_str(), 9), 0);
  EXPECT_EQ(read_or_error(mounted.path() + "/e/g"), "content o");
}

TEST_F(Metacopy, OfTheUpperIsCompletedWhenItsContentIsWanted) {
  auto expected = by_overlayfs(base_ + "/low", base_ + "/scratch/upper", 0600);
  UnionMount::Settings settings;
  settings.plain_lower = true;
  settings.layers = {base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", settings);
  std::string at = mounted.path();
  auto lacks_content = [&](const char* path) {
    std::string file = mounted.upper() + path;
    return getxattr(file.c_str(), "trusted.overlay.metacopy", nullptr, 0) >= 0;
  };
  struct stat status{};
  ASSERT_EQ(stat((at + "/f").c_str(), &status), 0);
  EXPECT_TRUE(lacks_content("/f")) << "nobody has asked for it";
  EXPECT_EQ(differences(snapshot(at, true), expected), "");
  EXPECT_FALSE(lacks_content("/f"));
  mounted.remount();
  EXPECT_EQ(differences(snapshot(at, true), expected), "");
}

// What the mark says holds for that name in that place.
TEST_F(Metacopy, IsCompletedBeforeItMoves) {
  by_overlayfs(base_ + "/low", base_ + "/scratch/upper", 0600);
  UnionMount::Settings settings;
  settings.plain_lower = true;
  settings.layers = {base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", settings);
  std::string at = mounted.path();
  ASSERT_EQ(rename((at + "/f").c_str(), (at + "/e/inner/f").c_str()), 0);
  ASSERT_EQ(link((at + "/linked").c_str(), (at + "/e/other").c_str()), 0);
  int held = open((at + "/gone").c_str(), O_RDONLY);
  ASSERT_EQ(unlink((at + "/gone").c_str()), 0);
  char text[100] = {};
  EXPECT_EQ(read(held, text, sizeof text), 16);
  EXPECT_STREQ(text, "content of /gone");
  close(held);
  std::ofstream(at + "/out", std::ios::app) << ", and more";
  mounted.remount();
  EXPECT_EQ(read_or_error(at + "/e/inner/f"), "content of /f");
  EXPECT_EQ(read_or_error(at + "/e/other"), "content of /linked");
  EXPECT_EQ(read_or_error(at + "/linked"), "content of /linked");
  EXPECT_EQ(read_or_error(at + "/out"), "content of /d/out, and more");
}

// A server that was killed on the way leaves the mark, and a part.
TEST_F(Metacopy, IsCompletedAnewAfterACrash) {
  by_overlayfs(base_ + "/low", base_ + "/scratch/upper", 0600);
  int file = open((base_ + "/scratch/upper/large").c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(file, "lll", 3, 4096), 3);
  close(file);
  UnionMount::Settings settings;
  settings.plain_lower = true;
  settings.layers = {base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", settings);
  EXPECT_EQ(read_or_error(mounted.path() + "/large"), std::string(300000, 'l'));
}

// A user may set attributes of his files, through overlayfs too.
TEST_F(Metacopy, FollowsNoUsersWord) {
  std::ofstream(base_ + "/low/other") << "same size as ";
  std::ofstream(base_ + "/low/mine") << "content of it";
  by_overlayfs(base_ + "/low", base_ + "/scratch/upper", 0600);
  std::string upper = base_ + "/scratch/upper";
  ASSERT_EQ(setxattr((upper + "/mine").c_str(), "user.overlay.redirect", "/other", 6, 0), 0);
  std::ofstream(upper + "/own") << "its own bytes";
  ASSERT_EQ(setxattr((upper + "/own").c_str(), "user.overlay.metacopy", "", 0, 0), 0);
  ASSERT_EQ(setxattr((upper + "/own").c_str(), "user.overlay.redirect", "/other", 6, 0), 0);
  UnionMount::Settings layers;
  layers.plain_lower = true;
  layers.layers = {upper, base_ + "/low"};
  {
    UnionMount mounted(base_ + "/second", "", layers);
    EXPECT_EQ(read_or_error(mounted.path() + "/mine"), "content of it");
    EXPECT_EQ(read_or_error(mounted.path() + "/own"), "its own bytes");
  }
  layers.layers = {base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", layers);
  EXPECT_EQ(read_or_error(mounted.path() + "/mine"), "content of it");
  EXPECT_EQ(read_or_error(mounted.path() + "/own"), "its own bytes");
}

TEST_F(Metacopy, KeepsCapabilitiesTimesAndItsSize) {
  by_overlayfs(base_ + "/low", base_ + "/scratch/upper", 0700);
  std::string upper = base_ + "/scratch/upper/large";
  const unsigned char capability[20] = {1, 0, 0, 2, 0, 4};
  ASSERT_EQ(setxattr(upper.c_str(), "security.capability", capability, 20, 0), 0);
  struct timespec times[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, upper.c_str(), times, 0), 0);
  UnionMount::Settings layers;
  layers.plain_lower = true;
  layers.layers = {base_ + "/low"};
  UnionMount mounted(base_ + "/scratch", "", layers);
  struct stat status{};
  ASSERT_EQ(stat((mounted.path() + "/large").c_str(), &status), 0);
  EXPECT_GE(status.st_blocks * 512, 300000) << "or it is taken for a hole";
  EXPECT_EQ(read_or_error(mounted.path() + "/large"), std::string(300000, 'l'));
  mounted.unmount();
  ASSERT_EQ(stat(upper.c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1000);
  unsigned char kept[20] = {};
  EXPECT_EQ(getxattr(upper.c_str(), "security.capability", kept, 20), 20);
  EXPECT_EQ(memcmp(kept, capability, 20), 0);
}

// Nothing is better than zeros in the place of what is not found.
TEST_F(Metacopy, WithoutContentIsAnError) {
  for (const char* side : {"/middle", "/scratch/upper"}) {
    by_overlayfs(base_ + "/low", base_ + side, 0600);
    std::string upper = base_ + side;
    ASSERT_EQ(setxattr((upper + "/f").c_str(), "trusted.overlay.redirect", "/not/there", 10, 0), 0);
    ASSERT_EQ(truncate((upper + "/gone").c_str(), 5), 0);
    ASSERT_EQ(setxattr((upper + "/large").c_str(), "trusted.overlay.redirect", "../f", 4, 0), 0);
    ASSERT_EQ(setxattr((upper + "/out").c_str(), "trusted.overlay.redirect", "/d", 2, 0), 0);
    UnionMount::Settings settings;
    settings.plain_lower = true;
    settings.layers = {base_ + "/low"};
    if (upper == base_ + "/middle") settings.layers.insert(settings.layers.begin(), upper);
    UnionMount mounted(base_ + "/scratch", "", settings);
    for (const char* path : {"/f", "/gone"})
      EXPECT_EQ(read_or_error(mounted.path() + path), "EIO") << side << path;
    for (const char* path : {"/large", "/out"}) {
      std::string said = read_or_error(mounted.path() + path);
      EXPECT_TRUE(said == "EIO" || said == "EINVAL") << side << path << ": " << said.substr(0, 20);
    }
    mounted.unmount();
    fs::remove_all(base_ + "/scratch");
  }
}

}  // namespace
}  // namespace lyr::unionfs
