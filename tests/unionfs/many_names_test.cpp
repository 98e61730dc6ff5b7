// SPDX-License-Identifier: Apache-2.0
// What is asked grows as the names of a directory do, not faster: to list them, and to remove each
// while they are listed, be they the image's or the upper's.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "tests/unionfs/kernel_caches.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t names_few = 5000, names_many = 20000;
constexpr double growth_max = 4.4;  // of requests, where there are four times the names

enum What { listing, removal, whats };
const std::array<const char*, whats> names_of_what{"to list", "to remove"};
using Asked = std::array<uint64_t, whats>;

uint64_t names_of(std::string_view directory) {
  return directory.ends_with("few") ? names_few : names_many;
}

void make_names(const std::string& directory, uint64_t count) {
  fs::create_directories(directory);
  for (uint64_t i = 0; i < count; ++i) {
    std::ofstream made(directory + "/name" + std::to_string(i));
    ASSERT_TRUE(made.is_open());
  }
}

// Does something to each name while they are listed.
template <class Each>
uint64_t each_name(const std::string& path, const Each& each) {
  DIR* directory = opendir(path.c_str());
  EXPECT_NE(directory, nullptr);
  uint64_t count = 0;
  while (struct dirent* entry = directory == nullptr ? nullptr : readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    if (!each(dirfd(directory), entry->d_name)) break;
    ++count;
  }
  if (directory != nullptr) closedir(directory);
  return count;
}
bool list_only(int, const char*) { return true; }
bool remove_name(int directory, const char* name) { return unlinkat(directory, name, 0) == 0; }

class ManyNames : public testing::TestWithParam<Below> {
 protected:
  ManyNames() : base_(fs::temp_directory_path() / ("lyr-names." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_);
  }
  ~ManyNames() override {
    mounted_.reset();
    umount2(base_.c_str(), MNT_DETACH);
    fs::remove_all(base_);
  }
  void SetUp() override {
    if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
    // In memory: many disks take a millisecond for each new file.
    UnionMount::enter_private_namespace();
    ASSERT_EQ(mount("none", base_.c_str(), "tmpfs", 0, nullptr), 0);
    for (const char* directory : {"/plain/few", "/plain/many"})
      make_names(base_ + directory, names_of(directory));
    mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings_for(GetParam()));
    mounted_->unmount();
    for (const char* directory : {"/own-few", "/own-many"})
      make_names(mounted_->upper() + directory, names_of(directory));
    mounted_->mount();
  }

  // FORGET comes when the kernel pleases.
  uint64_t asked_so_far() const {
    // Requests are answered in turn: when this one is, all before it were counted.
    struct statvfs status{};
    EXPECT_EQ(statvfs(mounted_->served().c_str(), &status), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < RequestCounts::opcodes; ++i) {
      if (i == FUSE_FORGET || i == FUSE_BATCH_FORGET || i == FUSE_STATFS) continue;
      sum += mounted_->counts().by_opcode[i].load();
    }
    return sum;
  }

  template <class Each>
  uint64_t asked_to(const std::string& path, uint64_t count, const Each& each) const {
    uint64_t before = asked_so_far();
    EXPECT_EQ(each_name(path, each), count) << path;
    return asked_so_far() - before;
  }
  Asked asked_of(const char* directory) const {
    uint64_t count = names_of(directory);
    std::string path = mounted_->path() + directory;
    Asked asked{asked_to(path, count, list_only), asked_to(path, count, remove_name)};
    EXPECT_EQ(each_name(path, list_only), 0U) << path;
    return asked;
  }
  static void compare(const Asked& of_few, const Asked& of_many) {
    for (size_t i = 0; i < whats; ++i) {
      std::printf("%s: %zu, %zu\n", names_of_what[i], of_few[i], of_many[i]);
      EXPECT_LE(static_cast<double>(of_many[i]), growth_max * static_cast<double>(of_few[i]))
          << names_of_what[i];
    }
    EXPECT_GE(of_few[removal], names_few) << "not all was counted";
    EXPECT_LE(of_many[listing], names_many / 10) << "as many as if each name were asked for";
    EXPECT_LE(of_many[removal], names_many * 3 + names_many / 20);  // see request_count_test.cpp
  }

  const Fd kernel_caches_ = keep_kernel_caches();
  std::string base_;
  std::optional<UnionMount> mounted_;
};

TEST_P(ManyNames, TakeRequestsInProportion) {
  compare(asked_of("/few"), asked_of("/many"));
  compare(asked_of("/own-few"), asked_of("/own-many"));
}

// Overlayfs asks the image's server for no name that is removed.
INSTANTIATE_TEST_SUITE_P(Lower, ManyNames, testing::ValuesIn(every_mode_but({Below::overlayfs})),
                         mode_name);

}  // namespace
}  // namespace lyr::unionfs
