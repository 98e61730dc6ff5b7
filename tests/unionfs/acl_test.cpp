// SPDX-License-Identifier: Apache-2.0
// POSIX ACLs: what a directory of the kernel's own does with them, the union does. Needs root.
#include "unionfs/acl.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "tests/unionfs/acl_text.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t friend_id = 34;
constexpr uint32_t stranger_id = 35;
constexpr uint32_t group_id = 50;
int set_acl(const std::string& path, std::string_view name, const std::string& text) {
  return setxattr(path.c_str(), std::string(name).c_str(), text.data(), text.size(), 0);
}

std::string acl_at(const std::string& path, std::string_view name) {
  char value[1000];
  ssize_t size = getxattr(path.c_str(), std::string(name).c_str(), value, sizeof value);
  return size < 0 ? strerrorname_np(errno) : std::string(value, static_cast<size_t>(size));
}

void plant_acls(const std::string& root) {
  fs::create_directories(root + "/d/inner");
  fs::create_directories(root + "/plain");
  fs::create_directories(root + "/s");
  for (const char* path : {"/d/old", "/d/inner/f", "/f", "/g", "/plain/old"})
    write_file(root + path, path);
  ASSERT_EQ(set_acl(root + "/d", default_acl_name, acl(7, 6, 5, 7, 1)), 0);
  ASSERT_EQ(set_acl(root + "/s", default_acl_name, acl(7, 6, 5, 7, 1)), 0);
  ASSERT_EQ(chown((root + "/s").c_str(), 0, group_id), 0);
  ASSERT_EQ(chmod((root + "/s").c_str(), 02775), 0);
  ASSERT_EQ(set_acl(root + "/f", access_acl_name, acl(6, 4, 0, 4, 0)), 0);
}

int open_new(const std::string& path, mode_t mode) {
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode);
  return file < 0 ? -1 : close(file);
}

// What `act` says (0, or -1 with errno) as that user, who is a member of that further group.
template <class Act>
std::string as(uint32_t user, gid_t group, Act act) {
  pid_t child = fork();
  if (child == 0) {
    bool is = setgroups(1, &group) == 0 && setgid(user) == 0 && setuid(user) == 0;
    _exit(is && act() >= 0 ? 0 : errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status) == 0 ? "ok" : strerrorname_np(WEXITSTATUS(status));
}

std::string opened_by(uint32_t user, const std::string& path, int flags) {
  return as(user, user, [&] { return open(path.c_str(), flags); });
}

// A set-group-id file of a group in which who sets its ACL is, or is not.
std::string change_set_group_id(const std::string& root) {
  std::string said;
  for (gid_t member_of : {group_id, stranger_id}) {
    std::string path = root + "/setgid" + std::to_string(member_of);
    write_file(path, "program");
    EXPECT_EQ(chown(path.c_str(), friend_id, group_id), 0);
    EXPECT_EQ(chmod(path.c_str(), 02755), 0);
    auto set = [&] { return set_acl(path, access_acl_name, acl(7, 5, 5, 5, 5, stranger_id)); };
    said += as(friend_id, member_of, set) + " ";
  }
  return said;
}

// Only the paths differ between two of these, and of those that follow.
std::string make_all(const std::string& root) {
  std::string said;
  auto say = [&](int result) {
    said += result == 0 ? "ok " : strerrorname_np(errno) + std::string(" ");
  };
  mode_t before = umask(027);
  for (const char* directory : {"/d", "/plain", "/d/inner", "/s"}) {
    std::string at = root + directory;
    say(open_new(at + "/file", 0666));
    say(open_new(at + "/program", 0777));
    say(mkdir((at + "/sub").c_str(), 0777));
    say(open_new(at + "/sub/file", 0666));
    say(mkfifo((at + "/fifo").c_str(), 0666));
    say(symlink("file", (at + "/link").c_str()));
    int unnamed = open(at.c_str(), O_TMPFILE | O_WRONLY, 0666);
    std::string by_fd = "/proc/self/fd/" + std::to_string(unnamed);
    say(linkat(AT_FDCWD, by_fd.c_str(), AT_FDCWD, (at + "/unnamed").c_str(), AT_SYMLINK_FOLLOW));
    close(unnamed);
  }
  for (const char* name : {"/d/old", "/plain/old"}) {  // over a whiteout
    say(unlink((root + name).c_str()));
    say(open_new(root + name, 0666));
    say(unlink((root + name).c_str()));
    say(mkdir((root + name).c_str(), 0777));
  }
  umask(before);
  return said;
}

std::string change_acls(const std::string& root) {
  std::string said;
  auto say = [&](int result) {
    said += result == 0 ? "ok " : strerrorname_np(errno) + std::string(" ");
  };
  say(chmod((root + "/f").c_str(), 0640));
  say(set_acl(root + "/g", access_acl_name, acl(6, 6, 4, 6, 0)));
  say(set_acl(root + "/g", default_acl_name, acl(6, 6, 4, 6, 0)));  // a directory's only
  say(set_acl(root + "/g", access_acl_name, "no ACL"));
  say(set_acl(root + "/plain", default_acl_name, acl(7, 7, 7, 7, 7)));
  say(mkdir((root + "/plain/inherits").c_str(), 0750));
  for (int twice = 0; twice < 2; ++twice)
    say(removexattr((root + "/plain").c_str(), "system.posix_acl_default"));
  say(mkdir((root + "/plain/inherits_not").c_str(), 0750));
  for (const char* name : {"/f", "/g", "/d/file"}) {
    for (uint32_t user : {friend_id, stranger_id})
      for (int flags : {O_RDONLY, O_WRONLY}) said += opened_by(user, root + name, flags) + " ";
  }
  return said + change_set_group_id(root);
}

std::string without_times(const std::map<std::string, std::string>& all) {
  std::string text;
  for (const auto& [path, line] : all) {
    size_t at = line.find(" at ");
    size_t links = line.find(" links ");
    text += path + " " + line.substr(0, at) + line.substr(std::min(links, line.size())) + "\n";
  }
  return text;
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

int open_and_touch(const std::string& path) {
  int file = open(path.c_str(), O_WRONLY);
  bool written = file >= 0 && pwrite(file, "!", 1, 0) == 1;
  return close(file) == 0 && written ? 0 : -1;
}

class AclFiles {
 protected:
  AclFiles() : base_(fs::temp_directory_path() / ("lyr-acl." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain");
    fs::create_directories(base_ + "/other");
  }
  ~AclFiles() { fs::remove_all(base_); }
  std::string base_;
};
class Acls : public AclFiles, public testing::TestWithParam<Below> {};
// Over directories the upper keeps what its own root and the work directory have.
class AclsOfAnImage : public AclFiles, public testing::TestWithParam<Below> {};
class AclsBy : public AclFiles, public testing::Test {};

TEST_P(Acls, AreThoseOfAPlainDirectory) {
  if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  plant_acls(base_ + "/plain");
  plant_acls(base_ + "/other");
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings_for(GetParam()));
  EXPECT_EQ(acl_at(mounted.path() + "/f", access_acl_name), acl(6, 4, 0, 4, 0));
  EXPECT_EQ(acl_at(mounted.path() + "/d", default_acl_name), acl(7, 6, 5, 7, 1));
  EXPECT_EQ(acl_at(mounted.path() + "/g", access_acl_name), "ENODATA");
  EXPECT_EQ(make_all(mounted.path()), make_all(base_ + "/other"));
  EXPECT_EQ(change_acls(mounted.path()), change_acls(base_ + "/other"));
  std::string expected = without_times(snapshot(base_ + "/other", true));
  EXPECT_EQ(without_times(snapshot(mounted.path(), true)), expected);
  mounted.remount();
  EXPECT_EQ(without_times(snapshot(mounted.path(), true)), expected);
}

// A directory above the upper and the work directory may have a default ACL of its own.
TEST_P(AclsOfAnImage, ThoseOfTheHostAreNotInherited) {
  if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  fs::create_directories(base_ + "/scratch");
  ASSERT_EQ(set_acl(base_ + "/scratch", default_acl_name, acl(7, 7, 7, 7, 7)), 0);
  fs::create_directories(base_ + "/plain/d");
  write_file(base_ + "/plain/f", "file");
  write_file(base_ + "/plain/gone", "file");
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings_for(GetParam()));
  ASSERT_EQ(acl_at(mounted.upper() + "/..", default_acl_name), acl(7, 7, 7, 7, 7));
  ASSERT_EQ(chmod((mounted.path() + "/f").c_str(), 0600), 0);
  ASSERT_EQ(open_new(mounted.path() + "/d/new", 0600), 0);
  ASSERT_EQ(open_new(mounted.path() + "/new", 0600), 0);
  ASSERT_EQ(unlink((mounted.path() + "/gone").c_str()), 0);
  ASSERT_EQ(mkdir((mounted.path() + "/gone").c_str(), 0700), 0);
  for (const char* path : {"", "/d", "/f", "/d/new", "/new", "/gone"}) {
    EXPECT_EQ(acl_at(mounted.path() + path, access_acl_name), "ENODATA") << path;
    EXPECT_EQ(acl_at(mounted.path() + path, default_acl_name), "ENODATA") << path;
  }
}

// Without ACLs the mode says it all, and the kernel has applied the umask.
TEST_F(AclsBy, AreNotThereWhenNotWanted) {
  plant_acls(base_ + "/plain");
  UnionMount::Settings settings;
  settings.adjust = [](Options& options) { options.acls.reset(); };
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  EXPECT_EQ(acl_at(mounted.path() + "/f", access_acl_name), "EOPNOTSUPP");
  EXPECT_EQ(set_acl(mounted.path() + "/f", access_acl_name, acl(7, 7, 7, 7, 7)), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  mode_t before = umask(027);
  EXPECT_EQ(open_new(mounted.path() + "/d/new", 0666), 0);
  EXPECT_EQ(mkdir((mounted.path() + "/d/sub").c_str(), 0777), 0);
  EXPECT_EQ(mkfifo((mounted.path() + "/d/fifo").c_str(), 0666), 0);
  umask(before);
  EXPECT_EQ(mode_of(mounted.path() + "/d/new"), 0640U);
  EXPECT_EQ(mode_of(mounted.path() + "/d/sub"), 0750U);
  EXPECT_EQ(mode_of(mounted.path() + "/d/fifo"), 0640U);
  ASSERT_EQ(open_and_touch(mounted.path() + "/f"), 0);
  mounted.unmount();
  EXPECT_EQ(acl_at(mounted.upper() + "/f", access_acl_name), acl(6, 4, 0, 4, 0)) << "for others";
}

// Nobody may do more with a copy that has no ACL than with what was copied.
TEST_F(AclsBy, GiveNobodyMoreWhereTheUpperHasNone) {
  plant_acls(base_ + "/plain");
  ASSERT_EQ(set_acl(base_ + "/plain/g", access_acl_name, acl(6, 0, 4, 6, 4)), 0);
  UnionMount::enter_private_namespace();
  fs::create_directories(base_ + "/scratch");
  ASSERT_EQ(mount("none", (base_ + "/scratch").c_str(), "ramfs", 0, nullptr), 0);
  {
    UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
    EXPECT_EQ(opened_by(friend_id, mounted.path() + "/f", O_RDONLY), "ok");
    for (const char* name : {"/f", "/g"}) {
      ASSERT_EQ(open_and_touch(mounted.path() + name), 0);
      EXPECT_EQ(opened_by(friend_id, mounted.path() + name, O_RDONLY), "EACCES") << name;
      EXPECT_EQ(mode_of(mounted.path() + name), 0600U) << name;
    }
    EXPECT_EQ(set_acl(mounted.path() + "/f", access_acl_name, acl(7, 7, 7, 7, 7)), -1);
    EXPECT_EQ(errno, EOPNOTSUPP);
  }
  umount((base_ + "/scratch").c_str());
}

TEST_F(AclsBy, NameTheIdsThatAreShown) {
  plant_acls(base_ + "/plain");
  ASSERT_EQ(set_acl(base_ + "/plain/g", access_acl_name, acl(6, 4, 0, 4, 0, 100034)), 0);
  UnionMount::Settings settings;
  settings.adjust = [](Options& options) {
    options.ids.users = {{.on_disk = 100000, .shown = 0, .count = 1000}};
  };
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  EXPECT_EQ(acl_at(mounted.path() + "/g", access_acl_name), acl(6, 4, 0, 4, 0));
  auto none = acl_of({{ACL_USER_OBJ, 6, no_id},
                      {ACL_GROUP_OBJ, 0, no_id},
                      {ACL_MASK, 4, no_id},
                      {ACL_OTHER, 0, no_id}});
  EXPECT_EQ(acl_at(mounted.path() + "/f", access_acl_name), none) << "34 is nobody's there";
  ASSERT_EQ(open_new(mounted.path() + "/new", 0600), 0);
  ASSERT_EQ(set_acl(mounted.path() + "/new", access_acl_name, acl(6, 4, 0, 4, 0)), 0);
  EXPECT_EQ(acl_at(mounted.upper() + "/new", access_acl_name), acl(6, 4, 0, 4, 0, 100034));
  EXPECT_EQ(opened_by(friend_id, mounted.path() + "/new", O_RDONLY), "ok");
  EXPECT_EQ(opened_by(stranger_id, mounted.path() + "/new", O_RDONLY), "EACCES");
  EXPECT_EQ(set_acl(mounted.path() + "/new", access_acl_name, acl(6, 4, 0, 4, 0, 1000)), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(AclsBy, AreKeptByTheNextServer) {
  plant_acls(base_ + "/plain");
  UnionMount::Settings settings;
  settings.survives = Patience{.deaths = SIZE_MAX};
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  ASSERT_EQ(open_new(mounted.path() + "/d/before", 0666), 0);
  mounted.kill_server();
  mode_t before = umask(027);
  EXPECT_EQ(open_new(mounted.path() + "/d/after", 0666), 0);
  EXPECT_EQ(open_new(mounted.path() + "/plain/after", 0666), 0);
  EXPECT_EQ(mkdir((mounted.path() + "/plain/sub").c_str(), 0777), 0);
  umask(before);
  EXPECT_EQ(mode_of(mounted.path() + "/plain/after"), 0640U);
  EXPECT_EQ(mode_of(mounted.path() + "/plain/sub"), 0750U);
  EXPECT_EQ(acl_at(mounted.path() + "/d/after", access_acl_name),
            acl_at(mounted.path() + "/d/before", access_acl_name));
  EXPECT_EQ(acl_at(mounted.path() + "/d/after", access_acl_name), acl(6, 6, 5, 6, 0));
}

// Removing what is not there is no reason to copy.
TEST_F(AclsBy, ThatAreNotThereAreRemovedWithoutACopy) {
  plant_acls(base_ + "/plain");
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
  EXPECT_EQ(removexattr((mounted.path() + "/g").c_str(), "system.posix_acl_access"), 0);
  EXPECT_FALSE(fs::exists(mounted.upper() + "/g"));
  EXPECT_EQ(removexattr((mounted.path() + "/f").c_str(), "system.posix_acl_access"), 0);
  EXPECT_EQ(acl_at(mounted.path() + "/f", access_acl_name), "ENODATA");
}

INSTANTIATE_TEST_SUITE_P(Lower, Acls, testing::ValuesIn(every_mode()), mode_name);

INSTANTIATE_TEST_SUITE_P(Lower, AclsOfAnImage,
                         testing::ValuesIn(every_mode_but({Below::directories})), mode_name);

}  // namespace
}  // namespace lyr::unionfs
