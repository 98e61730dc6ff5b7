// SPDX-License-Identifier: Apache-2.0
#include "unionfs/upper.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/sys_file.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class UpperTest : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("lyr-upper." + std::to_string(getpid()));
    fs::create_directories(base_ + "/upper/directory");
    fs::create_directories(base_ + "/work");
    auto opened = sys::open((base_ + "/upper").c_str(), O_PATH | O_DIRECTORY);
    auto work = sys::open((base_ + "/work").c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(opened && work);
    auto upper = Upper::open(std::move(*opened), std::move(*work), false);
    ASSERT_TRUE(upper);
    upper_ = std::move(*upper);
    auto directory = sys::open((base_ + "/upper/directory").c_str(), O_PATH | O_DIRECTORY);
    ASSERT_TRUE(directory);
    directory_ = std::move(*directory);
  }
  void TearDown() override { fs::remove_all(base_); }

  struct stat status(const std::string& name) {
    return sys::stat_at(directory_, name.c_str()).value();
  }

  std::string base_;
  Upper upper_;
  Fd directory_;
};

// ext4 takes long for each inode where many were freed just now.
TEST_F(UpperTest, WhiteoutsAreLinksOfOneDevice) {
  ASSERT_TRUE(upper_.format().device_whiteouts) << "not allowed to make devices 0:0";
  std::ofstream(base_ + "/upper/directory/copied") << "copied";
  ASSERT_TRUE(upper_.whiteout_over(directory_, "copied"));
  ASSERT_TRUE(upper_.whiteout_absent(directory_, "absent"));
  std::ofstream(base_ + "/upper/directory/other") << "other";
  ASSERT_TRUE(upper_.whiteout_over(directory_, "other"));
  for (const char* name : {"copied", "absent", "other"}) {
    EXPECT_TRUE(is_device_whiteout(status(name))) << name;
    EXPECT_EQ(status(name).st_ino, status("copied").st_ino) << name;
  }
}

// Whoever removes what others are links of takes nothing from them, and the next one is anew.
TEST_F(UpperTest, AWhiteoutThatIsGoneIsMadeAgain) {
  ASSERT_TRUE(upper_.format().device_whiteouts) << "not allowed to make devices 0:0";
  ASSERT_TRUE(upper_.whiteout_absent(directory_, "one"));
  for (const auto& entry : fs::directory_iterator(base_ + "/work")) fs::remove_all(entry.path());
  ASSERT_TRUE(upper_.whiteout_absent(directory_, "two"));
  std::ofstream(base_ + "/upper/directory/copied") << "copied";
  ASSERT_TRUE(upper_.whiteout_over(directory_, "copied"));
  EXPECT_TRUE(is_device_whiteout(status("one")));
  EXPECT_TRUE(is_device_whiteout(status("two")));
  EXPECT_NE(status("one").st_ino, status("two").st_ino);
  EXPECT_EQ(status("two").st_ino, status("copied").st_ino);
}

}  // namespace
}  // namespace lyr::unionfs
