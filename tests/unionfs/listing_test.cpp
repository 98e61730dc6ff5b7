// SPDX-License-Identifier: Apache-2.0
// What a listing says of each name beside the name itself.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

void put_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

class Listing : public testing::TestWithParam<Below> {
 protected:
  Listing() : base_(fs::temp_directory_path() / ("lyr-listing." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain/d/inner");
    for (const char* name : {"/f", "/g", "/d/name"}) put_text(base_ + "/plain" + name, "one file");
    fs::create_hard_link(base_ + "/plain/d/name", base_ + "/plain/d/inner/second");
    fs::create_hard_link(base_ + "/plain/d/name", base_ + "/plain/third");
    if (can_be_had(GetParam()))
      mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings_for(GetParam()));
  }
  void SetUp() override {
    if (!mounted_) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  }
  ~Listing() override {
    mounted_.reset();
    fs::remove_all(base_);
  }
  std::string at(const char* path) const { return mounted_->path() + path; }

  std::string base_;
  std::optional<UnionMount> mounted_;
};

// Those that are listed by name and type alone, too: small directories at first, see
// unionfs/attribute_use.h.
TEST_P(Listing, SaysWhatStatSays) {
  put_text(at("/d/inner/second"), "changed under one of its names");
  ASSERT_EQ(chmod(at("/f").c_str(), 0600), 0);
  put_text(at("/d/new"), "the upper's alone");
  ASSERT_EQ(symlink("nowhere", at("/d/link").c_str()), 0);
  ASSERT_EQ(mkfifo(at("/d/inner/pipe").c_str(), 0644), 0);
  mounted_->remount();
  for (const char* path : {"/", "/d", "/d/inner", "/d"}) {
    std::map<std::string, std::pair<ino_t, unsigned char>> listed;
    DIR* directory = opendir(at(path).c_str());
    ASSERT_NE(directory, nullptr);
    while (struct dirent* entry = readdir(directory))
      listed[entry->d_name] = {entry->d_ino, entry->d_type};
    closedir(directory);
    EXPECT_GE(listed.size(), 4U);
    for (const auto& [name, said] : listed) {
      if (name == "." || name == "..") continue;
      struct stat status{};
      ASSERT_EQ(lstat((at(path) + "/" + name).c_str(), &status), 0) << name;
      EXPECT_EQ(said.first, status.st_ino) << path << " " << name;
      EXPECT_EQ(said.second, IFTODT(status.st_mode)) << path << " " << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lower, Listing, testing::ValuesIn(every_mode()), mode_name);

}  // namespace
}  // namespace lyr::unionfs
