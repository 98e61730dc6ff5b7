// SPDX-License-Identifier: Apache-2.0
// A union over plain directories, with each thing that can be asked of it. Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

std::string code_of(int result) { return result == 0 ? "ok" : strerrorname_np(errno); }

std::string make_file(const std::string& path) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (fd >= 0) close(fd);
  return code_of(fd < 0 ? -1 : 0);
}

struct stat status_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status;
}

// "user:group", as stat shows them.
std::string owner(const std::string& path) {
  struct stat status = status_of(path);
  return std::to_string(status.st_uid) + ":" + std::to_string(status.st_gid);
}

class UnionOptions : public testing::Test {
 protected:
  UnionOptions() : base_(fs::temp_directory_path() / ("lyr-options." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain/d/inner");
    std::ofstream(base_ + "/plain/f") << "text";
    std::ofstream(base_ + "/plain/d/g") << "more";
  }
  ~UnionOptions() override { fs::remove_all(base_); }

  UnionMount::Settings with(std::function<void(Options&)> adjust) const {
    return {.plain_lower = true, .layers = {base_ + "/plain"}, .adjust = std::move(adjust)};
  }

  std::string base_;
};

TEST_F(UnionOptions, WithoutAnUpperNothingChanges) {
  auto before = snapshot(base_ + "/plain", true);
  UnionMount mounted(base_ + "/scratch", "", with([](Options& options) { options.upper.reset(); }));
  std::string at = mounted.path();
  EXPECT_EQ(make_file(at + "/new"), "EROFS");
  EXPECT_EQ(code_of(truncate((at + "/f").c_str(), 1)), "EROFS");
  EXPECT_EQ(code_of(unlink((at + "/f").c_str())), "EROFS");
  EXPECT_EQ(code_of(mkdir((at + "/n").c_str(), 0700)), "EROFS");
  EXPECT_EQ(code_of(rmdir((at + "/d/inner").c_str())), "EROFS");
  EXPECT_EQ(code_of(rename((at + "/f").c_str(), (at + "/d/f").c_str())), "EROFS");
  EXPECT_EQ(code_of(link((at + "/f").c_str(), (at + "/d/f").c_str())), "EROFS");
  EXPECT_EQ(code_of(symlink("f", (at + "/s").c_str())), "EROFS");
  EXPECT_EQ(code_of(chmod((at + "/f").c_str(), 0600)), "EROFS");
  EXPECT_EQ(code_of(setxattr((at + "/f").c_str(), "user.a", "b", 1, 0)), "EROFS");
  EXPECT_EQ(differences(snapshot(at, true), before), "");
}

TEST_F(UnionOptions, OwnersAreMapped) {
  ASSERT_EQ(chown((base_ + "/plain/f").c_str(), 1, 5), 0);
  ASSERT_EQ(chown((base_ + "/plain/d/g").c_str(), 70000, 0), 0);
  ASSERT_EQ(chmod((base_ + "/plain/d").c_str(), 0777), 0);
  auto map = [](Options& options) {
    options.ids.users = options.ids.groups = {{0, 1000, 1}, {1, 110000, 60000}};
  };
  UnionMount mounted(base_ + "/scratch", "", with(map));
  std::string at = mounted.path();
  EXPECT_EQ(owner(at + "/d"), "1000:1000");
  EXPECT_EQ(owner(at + "/f"), "110000:110004");
  EXPECT_EQ(owner(at + "/d/g"), "65534:1000");
  EXPECT_EQ(code_of(chown((at + "/f").c_str(), 110006, 1000)), "ok");
  EXPECT_EQ(owner(at + "/f"), "110006:1000");
  EXPECT_EQ(owner(mounted.upper() + "/f"), "7:0");
  EXPECT_EQ(code_of(chown((at + "/f").c_str(), 7, 1000)), "EINVAL");
  EXPECT_EQ(make_file(at + "/d/of_root"), "EOVERFLOW");
  pid_t child = fork();
  if (child == 0) {
    if (setresgid(110001, 110001, 110001) != 0 || setresuid(110002, 110002, 110002) != 0) _exit(1);
    _exit(make_file(at + "/d/new") == "ok" ? 0 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(owner(at + "/d/new"), "110002:110001");
  EXPECT_EQ(owner(mounted.upper() + "/d/new"), "3:2");
}

TEST_F(UnionOptions, OneOwnerForAll) {
  ASSERT_EQ(chown((base_ + "/plain/f").c_str(), 1, 5), 0);
  auto squash = [](Options& options) {
    options.ids.one_user = 33;
    options.ids.one_group = 44;
  };
  UnionMount mounted(base_ + "/scratch", "", with(squash));
  std::string at = mounted.path();
  EXPECT_EQ(make_file(at + "/new"), "ok");
  EXPECT_EQ(code_of(chown((at + "/f").c_str(), 9, 9)), "ok");
  for (const char* path : {"/f", "/d", "/new"}) EXPECT_EQ(owner(at + path), "33:44") << path;
  EXPECT_EQ(owner(mounted.upper() + "/new"), "0:0");
}

TEST_F(UnionOptions, WithoutRedirectsDirectoriesOfTheLowerStay) {
  auto off = [](Options& options) { options.redirects = false; };
  UnionMount mounted(base_ + "/scratch", "", with(off));
  std::string at = mounted.path();
  EXPECT_EQ(code_of(rename((at + "/d").c_str(), (at + "/e").c_str())), "EXDEV");
  EXPECT_TRUE(fs::is_empty(mounted.upper())) << "what is refused copies nothing up";
  EXPECT_EQ(code_of(mkdir((at + "/new").c_str(), 0755)), "ok");
  EXPECT_EQ(code_of(renameat2(AT_FDCWD, (at + "/new").c_str(), AT_FDCWD, (at + "/d").c_str(),
                              RENAME_EXCHANGE)),
            "EXDEV");
  EXPECT_EQ(code_of(rename((at + "/new").c_str(), (at + "/d/new").c_str())), "ok");
  EXPECT_EQ(code_of(rename((at + "/f").c_str(), (at + "/d/new/f").c_str())), "ok");
  EXPECT_EQ(read_whole(at + "/d/new/f"), "text");
}

TEST_F(UnionOptions, WhiteoutFilesOfAnUpperBecomeOverlayfss) {
  fs::create_directories(base_ + "/plain/closed/old");
  fs::create_directories(base_ + "/plain/remade/old");
  UnionMount mounted(base_ + "/scratch", "", with({}));
  std::string at = mounted.path(), upper = mounted.upper();
  mounted.unmount();
  fs::create_directories(upper + "/closed");
  fs::create_directories(upper + "/remade");
  for (const char* path : {"/.wh.f", "/closed/.wh..wh..opq", "/.wh.remade", "/closed/kept"})
    ASSERT_EQ(make_file(upper + path), "ok");
  for (int turn = 0; turn < 2; ++turn) {
    mounted.mount();
    auto shown = snapshot(at, false);
    std::string names;
    for (const auto& [path, text] : shown) names += path + " ";
    EXPECT_EQ(names, "/closed /closed/kept /d /d/g /d/inner /remade ");
    mounted.unmount();
  }
  struct stat whiteout = status_of(upper + "/f");
  EXPECT_TRUE(S_ISCHR(whiteout.st_mode) && whiteout.st_rdev == 0);
  EXPECT_FALSE(fs::exists(upper + "/.wh.f"));
  EXPECT_FALSE(fs::exists(upper + "/closed/.wh..wh..opq"));
  mounted.mount();
  EXPECT_EQ(code_of(mkdir((at + "/f").c_str(), 0755)), "ok");
  EXPECT_EQ(make_file(at + "/.wh.d"), "EPERM");
  EXPECT_EQ(code_of(rename((at + "/closed/kept").c_str(), (at + "/.wh.d").c_str())), "EPERM");
  EXPECT_EQ(code_of(symlink("x", (at + "/.wh..wh..opq").c_str())), "EPERM");
}

TEST_F(UnionOptions, MarksAreNeitherShownNorTaken) {
  ASSERT_EQ(setxattr((base_ + "/plain/f").c_str(), "user.color", "blue", 4, 0), 0);
  for (const char* name : {"user.overlay.redirect", "trusted.overlay.opaque",
                           "user.fuseoverlayfs.opaque", "user.overlay.metacopy"})
    ASSERT_EQ(setxattr((base_ + "/plain/f").c_str(), name, "y", 1, 0), 0);
  UnionMount mounted(base_ + "/scratch", "", with({}));
  std::string file = mounted.path() + "/f";
  for (int turn = 0; turn < 2; ++turn) {  // in the lower, then copied up
    char names[200];
    ssize_t size = listxattr(file.c_str(), names, sizeof names);
    EXPECT_EQ(std::string(names, static_cast<size_t>(size)), std::string("user.color\0", 11));
    EXPECT_LT(getxattr(file.c_str(), "user.overlay.redirect", names, sizeof names), 0);
    EXPECT_EQ(code_of(setxattr(file.c_str(), "user.fuseoverlayfs.opaque", "y", 1, 0)), "EPERM");
    std::ofstream(file, std::ios::app) << "more";
  }
  EXPECT_LT(getxattr((mounted.upper() + "/f").c_str(), "user.overlay.redirect", nullptr, 0), 0);
}

// Those of an overlay within the union are attributes as others are, and mean nothing to this one.
TEST_F(UnionOptions, MarksOfANestedOverlayAreEscaped) {
  for (const char* name : {"user.overlay.overlay.redirect", "trusted.overlay.overlay.overlay.a"})
    ASSERT_EQ(setxattr((base_ + "/plain/d").c_str(), name, "y", 1, 0), 0);
  UnionMount mounted(base_ + "/scratch", "", with({}));
  std::string directory = mounted.path() + "/d";
  auto names_of = [](const std::string& path) {
    char names[500];
    ssize_t size = listxattr(path.c_str(), names, sizeof names);
    std::set<std::string> all;
    for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(strlen(names + at)) + 1)
      all.insert(names + at);
    return all;
  };
  std::set<std::string> expected{"user.overlay.redirect", "trusted.overlay.overlay.a"};
  EXPECT_EQ(names_of(directory), expected);
  for (const char* name : {"user.overlay.opaque", "trusted.overlay.opaque"}) {
    ASSERT_EQ(code_of(setxattr(directory.c_str(), name, "y", 1, 0)), "ok");
    expected.insert(name);
  }
  EXPECT_EQ(names_of(directory), expected);
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(names_of(directory), expected);
    char value[10];
    EXPECT_EQ(getxattr(directory.c_str(), "trusted.overlay.opaque", value, sizeof value), 1);
    EXPECT_EQ(getxattr(directory.c_str(), "user.overlay.redirect", value, sizeof value), 1);
    EXPECT_TRUE(fs::exists(directory + "/inner")) << "it became opaque";
    mounted.unmount();
    mounted.mount();
  }
  EXPECT_EQ(code_of(removexattr(directory.c_str(), "user.overlay.redirect")), "ok");
  expected.erase("user.overlay.redirect");
  EXPECT_EQ(names_of(directory), expected);
  std::string long_name = "user.overlay." + std::string(XATTR_NAME_MAX - 15, 'a');
  EXPECT_EQ(code_of(setxattr(directory.c_str(), long_name.c_str(), "y", 1, 0)), "EOPNOTSUPP");
}

TEST_F(UnionOptions, WithoutAttributesOrLinkCounts) {
  auto plain = [](Options& options) {
    options.xattrs = false;
    options.static_links = true;
    options.sync = false;
    options.writeback = false;
  };
  UnionMount mounted(base_ + "/scratch", "", with(plain));
  std::string at = mounted.path();
  EXPECT_EQ(code_of(setxattr((at + "/f").c_str(), "user.a", "b", 1, 0)), "EOPNOTSUPP");
  EXPECT_EQ(status_of(at + "/d").st_nlink, 1U);
  int fd = open((at + "/f").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(write(fd, "!", 1), 1);
  EXPECT_EQ(code_of(fsync(fd)), "ok");
  close(fd);
  EXPECT_EQ(read_whole(at + "/f"), "text!");
}

}  // namespace
}  // namespace lyr::unionfs
