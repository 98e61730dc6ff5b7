// SPDX-License-Identifier: Apache-2.0
// Owners and modes that are in attributes, in layers and in the upper. Needs root.
#include "unionfs/override_stat.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/sys_file.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr std::array stat_names{security_stat_name, containers_stat_name, user_stat_name};

std::string said_of(int result) { return result == 0 ? "ok" : strerrorname_np(errno); }

// "UID:GID:MODE", as stat has them.
std::string stat_text(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return said_of(-1);
  return override_text(status.st_uid, status.st_gid, status.st_mode);
}

std::string attribute(const std::string& path, const char* name) {
  char value[200];
  ssize_t size = lgetxattr(path.c_str(), name, value, sizeof value);
  return size < 0 ? said_of(-1) : std::string(value, static_cast<size_t>(size));
}

void set_attribute(const std::string& path, const char* name, const std::string& value) {
  ASSERT_EQ(said_of(setxattr(path.c_str(), name, value.data(), value.size(), 0)), "ok") << path;
}

// What `work` says, done by another user.
std::string as_user(uid_t uid, gid_t gid, const std::function<std::string()>& work) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return "pipe";
  pid_t child = fork();
  if (child == 0) {
    umask(027);
    bool other = setgroups(0, nullptr) == 0 && setresgid(gid, gid, gid) == 0 &&
                 setresuid(uid, uid, uid) == 0;
    std::string said = other ? work() : "setresuid";
    _exit(write(pipe_ends[1], said.data(), said.size()) < 0 ? 1 : 0);
  }
  close(pipe_ends[1]);
  char said[200];
  ssize_t size = read(pipe_ends[0], said, sizeof said);
  close(pipe_ends[0]);
  waitpid(child, nullptr, 0);
  return {said, static_cast<size_t>(std::max<ssize_t>(size, 0))};
}

class OverrideStats : public testing::Test {
 protected:
  OverrideStats()
      : base_(fs::temp_directory_path() / ("lyr-override." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(layer_ + "/d");
    fs::create_directories(layer_ + "/open");
    fs::permissions(layer_ + "/open", fs::perms(0777));
    fs::permissions(layer_, fs::perms(0755));
    for (const char* name : {"/f", "/d/g", "/lacks", "/says_nothing"})
      std::ofstream(layer_ + name) << "text";
    fs::create_symlink("f", layer_ + "/link");
  }
  ~OverrideStats() override { fs::remove_all(base_); }

  UnionMount::Settings with(std::function<void(Options&)> adjust) const {
    return {.plain_lower = true, .layers = {layer_}, .adjust = std::move(adjust)};
  }

  std::string base_;
  std::string layer_ = base_ + "/layer";
};

TEST_F(OverrideStats, WhatValuesSay) {
  std::string path = layer_ + "/f";
  Fd file = *sys::open_at(sys::cwd(), path.c_str(), O_PATH);
  OverrideStat user(user_stat_name);
  auto said = [&](const std::string& value) {
    set_attribute(path, user_stat_name, value);
    auto read = user.read(file);
    return read && *read ? override_text((*read)->uid, (*read)->gid, (*read)->mode) : "nothing";
  };
  EXPECT_EQ(said("1:2:0644"), "1:2:644");
  EXPECT_EQ(said("1:2:104751"), "1:2:4751");
  EXPECT_EQ(said("1:2:20640"), "1:2:640");
  EXPECT_EQ(said("65534:0:01777:dir"), "65534:0:1777");
  EXPECT_EQ(said("0:0:0600:char-1-3"), "0:0:600");
  for (const char* text : {"", ":", "1:2", "1:2:", "1:2:9", "-1:2:644", "a:b:c", "1:2:x644",
                           "4294967295:0:644", "4294967296:0:644", "99999999999999999999:0:1"})
    EXPECT_EQ(said(text), "nothing") << text;
}

TEST_F(OverrideStats, OfALayerWhoseRootHasOne) {
  for (const char* name : stat_names) {
    SCOPED_TRACE(name);
    for (const char* other : stat_names) removexattr(layer_.c_str(), other);
    set_attribute(layer_, name, "3:4:0750");
    set_attribute(layer_ + "/d", name, "3:4:02700");
    set_attribute(layer_ + "/f", name, "5:6:4711:file");
    set_attribute(layer_ + "/d/g", name, "7:8:0604");
    set_attribute(layer_ + "/says_nothing", name, "junk");
    UnionMount mounted(base_ + "/scratch", "", with({}));
    std::string at = mounted.path();
    for (int turn = 0; turn < 2; ++turn) {  // in the layer, then copied up
      EXPECT_EQ(stat_text(at), "0:0:755");  // the upper's root
      EXPECT_EQ(stat_text(at + "/d"), "3:4:2700");
      EXPECT_EQ(stat_text(at + "/f"), "5:6:4711");
      EXPECT_EQ(stat_text(at + "/d/g"), "7:8:604");
      EXPECT_EQ(stat_text(at + "/lacks"), "0:0:644");
      EXPECT_EQ(stat_text(at + "/says_nothing"), "0:0:644");
      EXPECT_EQ(stat_text(at + "/link"), "0:0:777");
      EXPECT_EQ(listxattr((at + "/f").c_str(), nullptr, 0), 0);
      EXPECT_EQ(attribute(at + "/f", name), "ENODATA");
      EXPECT_EQ(said_of(setxattr((at + "/f").c_str(), name, "0:0:4777", 8, 0)), "EPERM");
      EXPECT_EQ(said_of(removexattr((at + "/f").c_str(), name)), "ENODATA");
      for (const char* path : {"/f", "/d/g", "/lacks", "/says_nothing"})
        EXPECT_EQ(said_of(utimensat(AT_FDCWD, (at + path).c_str(), nullptr, 0)), "ok");
    }
    // Without the option the copies have owners of their own.
    EXPECT_EQ(stat_text(mounted.upper() + "/f"), "5:6:4711");
    EXPECT_EQ(attribute(mounted.upper() + "/f", name), "ENODATA");
    mounted.unmount();
    fs::remove_all(base_ + "/scratch");
  }
}

TEST_F(OverrideStats, OfALayerWhoseRootHasNoneNothingCounts) {
  for (const char* name : stat_names) set_attribute(layer_ + "/f", name, "5:6:4711");
  UnionMount mounted(base_ + "/scratch", "", with({}));
  EXPECT_EQ(stat_text(mounted.path() + "/f"), "0:0:644");
}

class OverriddenUpper : public OverrideStats, public testing::WithParamInterface<bool> {
 protected:
  static const char* name() { return GetParam() ? security_stat_name : user_stat_name; }
  static void overridden(Options& options) {
    options.ownership = Ownership::overridden;
    options.security_stat = GetParam();
    options.dress_root = false;
  }
  // What the upper has: the attribute, and on disk always the same.
  std::string kept(const std::string& path) const {
    EXPECT_EQ(stat_text(upper_ + path), "0:0:755") << path;
    return attribute(upper_ + path, name());
  }
  std::string upper_ = base_ + "/scratch/upper";
};

TEST_P(OverriddenUpper, KeepsWhatIsGiven) {
  ASSERT_EQ(chown((layer_ + "/f").c_str(), 5, 6), 0);
  ASSERT_EQ(chmod((layer_ + "/f").c_str(), 04711), 0);
  UnionMount mounted(base_ + "/scratch", "", with(overridden));
  ASSERT_EQ(mounted.upper(), upper_);
  std::string at = mounted.path();
  struct stat root{};
  ASSERT_EQ(stat(upper_.c_str(), &root), 0);
  std::ofstream(at + "/new") << "text";
  EXPECT_EQ(attribute(upper_, name()), override_text(0, 0, root.st_mode));
  EXPECT_EQ(said_of(mkdir((at + "/made").c_str(), 0700)), "ok");
  EXPECT_EQ(said_of(chmod((at + "/new").c_str(), 02604)), "ok");
  EXPECT_EQ(said_of(chown((at + "/made").c_str(), 3, 4)), "ok");
  EXPECT_EQ(said_of(chmod((at + "/made").c_str(), 03770)), "ok");
  EXPECT_EQ(said_of(utimensat(AT_FDCWD, (at + "/f").c_str(), nullptr, 0)), "ok");
  EXPECT_EQ(said_of(lchown((at + "/link").c_str(), 8, 9)), "ok");
  EXPECT_EQ(said_of(mkfifo((at + "/pipe").c_str(), 0644)), "ok");
  EXPECT_EQ(said_of(chmod((at + "/pipe").c_str(), 0600)), "ok");
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(stat_text(at + "/new"), "0:0:2604");
    EXPECT_EQ(stat_text(at + "/made"), "3:4:3770");
    EXPECT_EQ(stat_text(at + "/f"), "5:6:4711");
    EXPECT_EQ(stat_text(at + "/link"), "8:9:777");
    EXPECT_EQ(stat_text(at + "/pipe"), "0:0:600");
    mounted.remount();
  }
  EXPECT_EQ(kept("/new"), "0:0:2604");
  EXPECT_EQ(kept("/made"), "3:4:3770");
  EXPECT_EQ(kept("/f"), "5:6:4711");
  EXPECT_EQ(stat_text(upper_ + "/link"), "8:9:777");
  EXPECT_EQ(attribute(at + "/new", name()), "ENODATA");
  EXPECT_EQ(said_of(setxattr((at + "/new").c_str(), name(), "0:0:4777", 8, 0)), "EPERM");
  // A file that lacks it, from a mount without the option, is as it is.
  ASSERT_EQ(removexattr((upper_ + "/new").c_str(), name()), 0);
  mounted.remount();
  EXPECT_EQ(stat_text(at + "/new"), "0:0:755");
}

TEST_P(OverriddenUpper, OthersFilesAreTheirs) {
  UnionMount mounted(base_ + "/scratch", "", with(overridden));
  std::string at = mounted.path() + "/open";
  ASSERT_EQ(chown(at.c_str(), 0, 33), 0);
  ASSERT_EQ(chmod(at.c_str(), 02777), 0);
  auto work = [&] {
    std::ofstream(at + "/file") << "text";
    std::string done = said_of(mkdir((at + "/dir").c_str(), 0777));
    int unnamed = open(at.c_str(), O_TMPFILE | O_RDWR, 0660);
    std::string link = "/proc/self/fd/" + std::to_string(unnamed);
    struct stat status{};
    done += " " + said_of(fstat(unnamed, &status));
    done += " " + override_text(status.st_uid, status.st_gid, status.st_mode);
    done += " " + said_of(linkat(AT_FDCWD, link.c_str(), AT_FDCWD, (at + "/unnamed").c_str(),
                                 AT_SYMLINK_FOLLOW));
    return done + " " + said_of(chown((at + "/file").c_str(), 77, 78)) + " " +
           said_of(chown((at + "/file").c_str(), 0, 0));
  };
  EXPECT_EQ(as_user(77, 78, work), "ok ok 77:33:640 ok ok EPERM");
  EXPECT_EQ(stat_text(at + "/file"), "77:78:640");
  EXPECT_EQ(stat_text(at + "/dir"), "77:33:2750");
  EXPECT_EQ(stat_text(at + "/unnamed"), "77:33:640");
  EXPECT_EQ(kept("/open/file"), "77:78:640");
  EXPECT_EQ(kept("/open/dir"), "77:33:2750");
  EXPECT_EQ(kept("/open/unnamed"), "77:33:640");
  EXPECT_EQ(as_user(99, 99, [&] { return said_of(access((at + "/file").c_str(), R_OK)); }),
            "EACCES");
}

TEST_P(OverriddenUpper, SetIdBitsGoWithOwnersAndContent) {
  UnionMount mounted(base_ + "/scratch", "", with(overridden));
  std::string file = mounted.path() + "/f";
  EXPECT_EQ(said_of(chmod(file.c_str(), 06777)), "ok");
  EXPECT_EQ(said_of(chown(file.c_str(), 5, 6)), "ok");
  EXPECT_EQ(stat_text(file), "5:6:777");
  EXPECT_EQ(said_of(chmod(file.c_str(), 06777)), "ok");
  EXPECT_EQ(stat_text(file), "5:6:6777");
  auto append = [&] {
    std::ofstream(file, std::ios::app) << "more";
    return std::string("done");
  };
  EXPECT_EQ(as_user(77, 78, append), "done");
  EXPECT_EQ(stat_text(file), "5:6:777");
  EXPECT_EQ(kept("/f"), "5:6:777");
  EXPECT_EQ(said_of(chmod(file.c_str(), 06777)), "ok");
  auto cut = [&] { return said_of(truncate(file.c_str(), 1)); };
  EXPECT_EQ(as_user(77, 78, cut), "ok");
  EXPECT_EQ(stat_text(file), "5:6:777");
  EXPECT_EQ(kept("/f"), "5:6:777");
}

TEST_P(OverriddenUpper, IdsAreMappedOnTheirWay) {
  auto map = [](Options& options) {
    overridden(options);
    options.ids.users = options.ids.groups = {{0, 1000, 1}, {1, 110000, 60000}};
  };
  UnionMount mounted(base_ + "/scratch", "", with(map));
  std::string file = mounted.path() + "/f";
  EXPECT_EQ(stat_text(file), "1000:1000:644");
  EXPECT_EQ(said_of(chown(file.c_str(), 110006, 1000)), "ok");
  EXPECT_EQ(stat_text(file), "110006:1000:644");
  EXPECT_EQ(kept("/f"), "7:0:644");
  EXPECT_EQ(said_of(chown(file.c_str(), 7, 1000)), "EINVAL");
}

INSTANTIATE_TEST_SUITE_P(Attribute, OverriddenUpper, testing::Bool(), [](const auto& parameter) {
  return parameter.param ? "Security" : "User";
});

}  // namespace
}  // namespace lyr::unionfs
