// SPDX-License-Identifier: Apache-2.0
#include "tools/mount_options.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

namespace lyr::tools {
namespace {

// Why `text` is refused; empty: it is not.
std::string refusal(const std::string& text) {
  auto parsed = parse_mount_options({"lowerdir=a", text});
  return parsed ? "" : describe(parsed.error());
}

TEST(MountOptions, AsPodmanCallsItsMountProgram) {
  auto parsed = parse_mount_options({"lowerdir=l/A:l/B,upperdir=u/diff,workdir=u/work,,volatile"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lower, (std::vector<std::string>{"l/A", "l/B"}));
  EXPECT_EQ(parsed->upper, "u/diff");
  EXPECT_EQ(parsed->work, "u/work");
  EXPECT_FALSE(parsed->sync);
  EXPECT_FALSE(parsed->durable);
  EXPECT_FALSE(parsed->make_redirects);
  EXPECT_TRUE(parsed->follow_redirects);
  EXPECT_EQ(parsed->flags, MS_NODEV | MS_NOATIME);
}

TEST(MountOptions, BackslashesTakeTheMeaningAway) {
  auto parsed = parse_mount_options({R"(lowerdir=a\:b:c\,d:e\\f,upperdir=u\,v,workdir=w\:x)"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lower, (std::vector<std::string>{"a:b", "c,d", R"(e\f)"}));
  EXPECT_EQ(parsed->upper, "u,v");
  EXPECT_EQ(parsed->work, "w:x");
}

TEST(MountOptions, AContextKeepsItsCommas) {
  auto parsed = parse_mount_options({R"(lowerdir=a,context="system_u:object_r:t:s0:c1,c2",ro)"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->kernel,
            (std::vector<std::string>{R"(context="system_u:object_r:t:s0:c1,c2")"}));
  EXPECT_NE(parsed->flags & MS_RDONLY, 0U);
}

TEST(MountOptions, TheLastFlagCounts) {
  auto parsed = parse_mount_options({"lowerdir=a,upperdir=u,workdir=w,ro,dev", "rw,nosuid,noexec"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->flags, MS_NOSUID | MS_NOEXEC | MS_NOATIME);
}

TEST(MountOptions, WithoutAnUpperItIsReadOnly) {
  auto parsed = parse_mount_options({"lowerdir=a", "lowerdir+=b"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lower, (std::vector<std::string>{"a", "b"}));
  EXPECT_NE(parsed->flags & MS_RDONLY, 0U);
}

TEST(MountOptions, DataOnlyDirectories) {
  auto parsed = parse_mount_options({R"(lowerdir=a:b::c::d\:e)", "datadir+=f"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lower, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed->data, (std::vector<std::string>{"c", "d:e", "f"}));
  for (const char* text : {"lowerdir=a::b:c", "lowerdir=::a", "lowerdir=a:::b",
                           "lowerdir=a::", "lowerdir=a:", "datadir+=", "datadir+=b,lowerdir+=c"})
    EXPECT_NE(refusal(text), "") << text;
}

TEST(MountOptions, MapsOfIds) {
  auto parsed = parse_mount_options(
      {"lowerdir=a,uidmapping=0:1000:1:1:110000:65536,gidmapping=0:5:1,squash_to_gid=7"});
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->ids.users.size(), 2U);
  EXPECT_EQ(parsed->ids.shown_user(0), 1000U);
  EXPECT_EQ(parsed->ids.shown_user(2), 110001U);
  EXPECT_EQ(parsed->ids.shown_user(70000), unionfs::overflow_id);
  EXPECT_EQ(parsed->ids.user_on_disk(110001).value_or(0), 2U);
  EXPECT_EQ(parsed->ids.shown_group(99), 7U);
  for (const char* text : {"uidmapping=", "uidmapping=0:1", "uidmapping=0:0:0", "uidmapping=a:1:1",
                           "uidmapping=0:4294967295:2", "gidmapping=-1:0:1", "squash_to_uid=x",
                           "squash_to_uid=4294967295"})
    EXPECT_NE(refusal(text), "") << text;
}

TEST(MountOptions, SquashingToOneIdWinsOverRoot) {
  auto parsed = parse_mount_options({"lowerdir=a,squash_to_uid=7,squash_to_root"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ids.one_user, 7U);
  EXPECT_EQ(parsed->ids.one_group, 0U);
}

TEST(MountOptions, WherePermissionsAre) {
  using enum MountOptions::Permissions;
  auto where = [](const std::string& text) {
    auto parsed = parse_mount_options({"lowerdir=a", text});
    return parsed ? std::optional(parsed->permissions) : std::nullopt;
  };
  EXPECT_EQ(where("ro"), real);
  EXPECT_EQ(where("xattr_permissions=1"), security_xattr);
  EXPECT_EQ(where("xattr_permissions=2"), user_xattr);
  EXPECT_EQ(where("xattr_permissions=2,xattr_permissions=0"), real);
  for (const char* text : {"xattr_permissions", "xattr_permissions=", "xattr_permissions=3",
                           "xattr_permissions=-1", "xattr_permissions=2x"})
    EXPECT_EQ(where(text), std::nullopt) << text;
}

// fusermount3 may refuse it.
TEST(MountOptions, OthersAreAllowedWhenSomebodySaysSo) {
  auto parsed = parse_mount_options({"lowerdir=a"});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->allow_other);
  parsed = parse_mount_options({"lowerdir=a,allow_other"});
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->allow_other);
}

TEST(MountOptions, WhatHarmsNobodyIsTaken) {
  for (const char* text :
       {"clone_fd", "max_idle_threads=5", "max_threads=10", "noacl", "fast_ino=1",
        "default_permissions,allow_other", "index=off", "xino=auto",
        "plugins=", "x-systemd.automount", "defaults,nofail,_netdev", "xattr_permissions=0",
        "redirect_dir=follow", "threaded=1", "timeout=0.5", "lazytime", "io_uring", "passthrough",
        "file_flags"})
    EXPECT_EQ(refusal(text), "") << text;
}

TEST(MountOptions, WhatIsNotDoneIsSaid) {
  for (const char* text :
       {"xattr_permissions=3", "plugins=a",     "index=on",     "metacopy=on",
        "auto_unmount",        "nonsense",      "nonsense=1",   "redirect_dir=maybe",
        "timeout=-1",          "timeout=nan",   "fsync=2",      "volatile=1",
        "io_uring=1",          "passthrough=1", "file_flags=0", "upperdir",
        "upperdir=u",          "workdir=w",     "lowerdir=a:",  "lowerdir="})
    EXPECT_NE(refusal(text), "") << text;
  EXPECT_NE(refusal("nonsense=1").find("'nonsense=1' is not known"), std::string::npos);
  EXPECT_FALSE(parse_mount_options({}));
  std::string many = "lowerdir=a";
  for (int i = 0; i < 500; ++i) many += ":a";
  EXPECT_NE(refusal(many).find("500 are the most"), std::string::npos);
}

}  // namespace
}  // namespace lyr::tools
