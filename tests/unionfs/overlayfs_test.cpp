// SPDX-License-Identifier: Apache-2.0
// The upper directory is overlayfs's: the kernel's own overlay of it, over a plain directory equal
// to the image, shows the tree that the union showed. Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

void plant_changed(const std::string& root) {
  for (const char* path : {"/kept/deep", "/emptied", "/remade", "/moved/inner/deep", "/swapped",
                           "/replaced_by_file", "/gone/a/b"})
    fs::create_directories(root + path);
  for (const char* path : {"/kept/f",
                           "/kept/deep/f",
                           "/emptied/a",
                           "/emptied/b",
                           "/remade/old",
                           "/moved/f",
                           "/moved/inner/f",
                           "/moved/inner/deep/f",
                           "/moved/dropped",
                           "/swapped/f",
                           "/swapped_file",
                           "/replaced_by_file/f",
                           "/replaced_by_directory",
                           "/gone/a/b/f",
                           "/appended",
                           "/attributes",
                           "/renamed",
                           "/overwritten",
                           "/truncated",
                           "/linked"})
    write_file(root + path, std::string(10000, path[2]));
  fs::create_hard_link(root + "/linked", root + "/kept/linked");
  fs::create_hard_link(root + "/linked", root + "/kept/deep/linked");
  fs::create_symlink("kept/f", root + "/symlink");
  mkfifo((root + "/fifo").c_str(), 0640);
  ASSERT_EQ(mknod((root + "/device").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  ASSERT_EQ(setxattr((root + "/attributes").c_str(), "user.color", "blue", 4, 0), 0);
  ASSERT_EQ(chown((root + "/attributes").c_str(), 12, 34), 0);
  ASSERT_EQ(chmod((root + "/attributes").c_str(), 04755), 0);
  struct timespec old[2] = {{1000000, 5}, {2000000, 7}};
  for (const char* path : {"", "/kept", "/kept/deep", "/attributes", "/symlink", "/moved/inner"})
    ASSERT_EQ(utimensat(AT_FDCWD, (root + path).c_str(), old, AT_SYMLINK_NOFOLLOW), 0);
}

void change_content(const std::string& root) {
  std::ofstream(root + "/appended", std::ios::app) << "more";
  std::ofstream(root + "/linked", std::ios::app) << "seen by every name";
  ASSERT_EQ(unlink((root + "/kept/linked").c_str()), 0);
  ASSERT_EQ(truncate((root + "/truncated").c_str(), 777), 0);
  write_file(root + "/kept/deep/new", "new");
  fs::create_hard_link(root + "/kept/deep/new", root + "/new_link");
  fs::create_symlink("new", root + "/kept/new_symlink");
  ASSERT_EQ(mkfifo((root + "/kept/new_fifo").c_str(), 0600), 0);
  ASSERT_EQ(setxattr((root + "/attributes").c_str(), "user.shape", "round", 5, 0), 0);
  ASSERT_EQ(setxattr((root + "/kept").c_str(), "user.of", "directory", 9, 0), 0);
  ASSERT_EQ(chmod((root + "/device").c_str(), 0666), 0);
  ASSERT_EQ(lchown((root + "/symlink").c_str(), 5, 6), 0);
  ASSERT_EQ(chown((root + "/fifo").c_str(), 7, 8), 0);
}

void change_names(const std::string& root) {
  fs::remove_all(root + "/gone");
  fs::remove(root + "/emptied/a");
  fs::remove(root + "/emptied/b");
  fs::remove_all(root + "/remade");
  fs::create_directories(root + "/remade/fresh");
  fs::remove_all(root + "/replaced_by_file");
  write_file(root + "/replaced_by_file", "a file now");
  fs::remove(root + "/replaced_by_directory");
  fs::create_directory(root + "/replaced_by_directory");
  write_file(root + "/replaced_by_directory/f", "inside");
  fs::rename(root + "/renamed", root + "/kept/renamed");
  fs::rename(root + "/kept/f", root + "/overwritten");
}

// Moves of directories that merge: they carry redirects, which only trusted attributes may.
void move_directories(const std::string& root) {
  fs::remove(root + "/moved/dropped");
  fs::rename(root + "/moved/inner", root + "/kept/inner");
  write_file(root + "/kept/inner/deep/new", "added after the move");
  fs::rename(root + "/moved", root + "/elsewhere");
  fs::create_directory(root + "/moved");
  write_file(root + "/moved/f", "not the one from before");
  ASSERT_EQ(renameat2(AT_FDCWD, (root + "/swapped").c_str(), AT_FDCWD,
                      (root + "/swapped_file").c_str(), RENAME_EXCHANGE),
            0);
}

class Overlayfs : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(Overlayfs, ShowsWhatTheUnionShowed) {
  auto [trusted, plain_lower] = GetParam();
  std::string base = fs::temp_directory_path() / ("lyr-overlay." + std::to_string(getpid()));
  fs::remove_all(base);
  std::string plain = base + "/plain";
  fs::create_directories(plain);
  plant_changed(plain);
  {
    UnionMount mounted(base + "/scratch", plain,
                       {.trusted_xattrs = trusted, .plain_lower = plain_lower});
    change_content(mounted.path());
    const char* nested = trusted ? "trusted.overlay.opaque" : "user.overlay.opaque";
    ASSERT_EQ(setxattr((mounted.path() + "/kept").c_str(), nested, "y", 1, 0), 0);
    change_names(mounted.path());
    if (trusted) move_directories(mounted.path());
    auto of_union = snapshot(mounted.path(), true);
    EXPECT_EQ(of_union.contains("/elsewhere/f"), trusted);
    mounted.unmount();
    fs::create_directories(base + "/merged");
    fs::create_directories(base + "/scratch/kernel_work");
    std::string options = "lowerdir=" + plain + ",upperdir=" + mounted.upper() +
                          ",workdir=" + base + "/scratch/kernel_work,index=off," +
                          (trusted ? "redirect_dir=on" : "userxattr");
    ASSERT_EQ(mount("overlay", (base + "/merged").c_str(), "overlay", 0, options.c_str()), 0)
        << strerror(errno);
    auto of_overlay = snapshot(base + "/merged", true);
    EXPECT_EQ(umount((base + "/merged").c_str()), 0);
    EXPECT_EQ(differences(of_overlay, of_union), "");
    mounted.mount();
  }
  fs::remove_all(base);
}

std::string shape_of(const testing::TestParamInfo<std::tuple<bool, bool>>& info) {
  auto [trusted, plain_lower] = info.param;
  return std::string(trusted ? "Trusted" : "User") + (plain_lower ? "Directories" : "Tree");
}
INSTANTIATE_TEST_SUITE_P(Marks, Overlayfs, testing::Combine(testing::Bool(), testing::Bool()),
                         shape_of);

}  // namespace
}  // namespace lyr::unionfs
