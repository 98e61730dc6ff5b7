// SPDX-License-Identifier: Apache-2.0
// What a copy has of its original, in all modes: content and holes of files of many sizes, owner,
// mode, times and attributes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"
#include "unionfs/copy_ahead.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr size_t mib = size_t{1} << 20;
// Read ahead by a thread of its own.
constexpr size_t ahead_bytes = CopyAhead::ahead_bytes_min + mib + 12345;

std::string noise(size_t bytes) {
  std::string text(bytes, '\0');
  std::mt19937_64 random(bytes);
  for (size_t at = 0; at + 8 <= bytes; at += 8) {
    uint64_t number = random() | 1;
    text.replace(at, 8, reinterpret_cast<const char*>(&number), 8);
  }
  return text;
}

class Copies : public testing::Test {
 protected:
  Copies() : base_(fs::temp_directory_path() / ("lyr-copy-up." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(plain_);
  }
  ~Copies() override { fs::remove_all(base_); }

  void plant() {
    std::string hole(4 * mib, '\0');
    write_file(plain_ + "/large", noise(ahead_bytes));
    write_file(plain_ + "/parts", noise(ahead_bytes) + hole + noise(mib + 1));
    write_file(plain_ + "/ends_in_a_hole", noise(mib) + hole);
    write_file(plain_ + "/all_hole", hole);
    write_file(plain_ + "/empty", "");
    write_file(plain_ + "/set_id", "set-id");
    write_file(plain_ + "/capable", "capable");
    ASSERT_EQ(chown((plain_ + "/set_id").c_str(), 12, 34), 0);
    ASSERT_EQ(chmod((plain_ + "/set_id").c_str(), 06755), 0);
    ASSERT_EQ(chown((plain_ + "/capable").c_str(), 56, 78), 0);
    ASSERT_EQ(chmod((plain_ + "/capable").c_str(), 0710), 0);
    struct vfs_cap_data capability{};
    capability.magic_etc = VFS_CAP_REVISION_2;
    capability.data[0].permitted = 1U << CAP_NET_RAW;
    ASSERT_EQ(setxattr((plain_ + "/capable").c_str(), "security.capability", &capability,
                       sizeof capability, 0),
              0);
    std::string nested = marks_prefix() + "overlay.a";
    ASSERT_EQ(setxattr((plain_ + "/capable").c_str(), nested.c_str(), "y", 1, 0), 0);
    if (!in_user_namespace()) {  // a link can have no attribute of a user's
      ASSERT_EQ(symlink("nowhere", (plain_ + "/link").c_str()), 0);
      ASSERT_EQ(lsetxattr((plain_ + "/link").c_str(), "trusted.note", "a", 1, 0), 0);
    }
    struct timespec old[2] = {{1000000, 5}, {2000000, 7}};
    for (const auto& entry : fs::directory_iterator(plain_))
      ASSERT_EQ(utimensat(AT_FDCWD, entry.path().c_str(), old, AT_SYMLINK_NOFOLLOW), 0);
  }

  std::string base_;
  std::string plain_ = base_ + "/plain";
};

class CopyUp : public Copies, public testing::WithParamInterface<Below> {};

TEST_P(CopyUp, KeepsWhatTheOriginalHad) {
  if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no FUSE over io_uring";
  plant();
  UnionMount mounted(base_ + "/scratch", plain_, settings_for(GetParam()));
  auto before = snapshot(mounted.path(), true);
  ASSERT_EQ(before.size(), in_user_namespace() ? 7U : 8U);
  EXPECT_NE(before["/capable"].find(";" + marks_prefix() + "a=y"), std::string::npos)
      << before["/capable"];
  // Changes nothing but what makes the copy.
  const char* extra = in_user_namespace() ? "user.copied" : "trusted.copied";
  for (const auto& entry : fs::directory_iterator(mounted.path()))
    ASSERT_EQ(lsetxattr(entry.path().c_str(), extra, "y", 1, 0), 0) << entry.path();
  for (const char* name : {"/large", "/parts", "/ends_in_a_hole", "/all_hole"}) {
    struct stat copy{};
    ASSERT_EQ(lstat((mounted.upper() + name).c_str(), &copy), 0) << name;
    EXPECT_TRUE(read_whole(mounted.upper() + name) == read_whole(plain_ + name)) << name;
    bool has_hole = std::string(name) != "/large";
    if (GetParam() == Below::overlayfs) continue;  // the kernel copies some holes as zeros
    EXPECT_EQ(copy.st_blocks * 512 + static_cast<int64_t>(3 * mib) < copy.st_size, has_hole)
        << name;
  }
  for (const auto& entry : fs::directory_iterator(mounted.path()))
    ASSERT_EQ(lremovexattr(entry.path().c_str(), extra), 0);
  EXPECT_EQ(differences(snapshot(mounted.path(), true), before), "");
  mounted.remount();
  EXPECT_EQ(differences(snapshot(mounted.path(), true), before), "");
}

// The next server makes the copy again, and the write goes on.
TEST_F(Copies, AreMadeAgainWhenTheServerIsKilled) {
  std::string content = noise(64 * mib);
  write_file(plain_ + "/large", content);
  UnionMount::Settings settings = settings_for(Below::tree);
  settings.survives = Patience{.deaths = SIZE_MAX};
  UnionMount mounted(base_ + "/scratch", plain_, settings);
  content[1] = '!';
  auto has_begun = [&] {
    for (const auto& entry : fs::directory_iterator(base_ + "/scratch/work")) {
      std::error_code gone;
      if (entry.is_regular_file(gone) && entry.file_size(gone) > mib && !gone) return true;
    }
    return false;
  };
  bool killed = false;
  while (!killed) {  // in the middle of it: else anew
    std::atomic<bool> done = false;
    std::jthread writer([&] {
      int file = open((mounted.path() + "/large").c_str(), O_WRONLY);
      EXPECT_EQ(pwrite(file, "!", 1, 1), 1);
      EXPECT_EQ(fsync(file), 0);
      EXPECT_EQ(close(file), 0);
      done = true;
    });
    while (!done && !has_begun()) std::this_thread::yield();
    killed = !done;
    if (killed) mounted.kill_server();
    writer.join();
    EXPECT_TRUE(read_whole(mounted.path() + "/large") == content);
    mounted.unmount();
    EXPECT_TRUE(read_whole(mounted.upper() + "/large") == content);
    if (!killed) mounted.empty_upper();
    mounted.mount();
  }
  EXPECT_TRUE(read_whole(mounted.path() + "/large") == content);
  EXPECT_TRUE(fs::is_empty(base_ + "/scratch/work"));
}

INSTANTIATE_TEST_SUITE_P(Lower, CopyUp, testing::ValuesIn(every_mode()), mode_name);

}  // namespace
}  // namespace lyr::unionfs
