// SPDX-License-Identifier: Apache-2.0
// USER strings against an image's passwd and group, by docker's rules.
#include "engine/user.h"

#include <gtest/gtest.h>

namespace lyr::engine {
namespace {

const Accounts accounts{.passwd =
                            "root:x:0:0:root:/root:/bin/sh\n"
                            "web:x:33:44:,,,:/srv/web:/bin/false\n"
                            "1000:x:77:78::/numeric:\n"
                            "homeless:x:90:91:::\n"
                            "last:x:95:96::/last:/bin/sh",
                        .group =
                            "root:x:0:\n"
                            "web:x:44:\n"
                            "logs:x:50:other,web\n"
                            "video:x:51:web,web\n"
                            "none:x:52:webmaster\n"
                            "2000:x:53:\n"};

ResolvedUser resolved(std::string_view text) { return resolve_user(text, accounts).value(); }
int error_of(std::string_view text) {
  auto user = resolve_user(text, accounts);
  return user ? 0 : user.error().code;
}

TEST(User, NothingIsRoot) {
  for (const char* text : {"", ":", "0", "root", "0:0", "root:root", ":0"}) {
    ResolvedUser user = resolved(text);
    EXPECT_EQ(user.user.uid, 0U) << text;
    EXPECT_EQ(user.user.gid, 0U) << text;
    EXPECT_EQ(user.home, "/root") << text;
  }
}

TEST(User, ANameBringsItsGroupsAndHome) {
  for (const char* text : {"web", "33", "web:"}) {
    ResolvedUser user = resolved(text);
    EXPECT_EQ(user.user.uid, 33U) << text;
    EXPECT_EQ(user.user.gid, 44U) << text;
    EXPECT_EQ(user.user.additional_gids, (std::vector<uint32_t>{50, 51})) << text;
    EXPECT_EQ(user.home, "/srv/web") << text;
  }
  EXPECT_EQ(resolved("last").home, "/last") << "the last line may lack its newline";
}

TEST(User, AGroupThatWasAskedForIsTheOnlyOne) {
  for (const char* text : {"web:logs", "33:50", "web:50", "33:logs"}) {
    ResolvedUser user = resolved(text);
    EXPECT_EQ(user.user.uid, 33U) << text;
    EXPECT_EQ(user.user.gid, 50U) << text;
    EXPECT_TRUE(user.user.additional_gids.empty()) << text;
    EXPECT_EQ(user.home, "/srv/web") << text;
  }
  EXPECT_EQ(resolved(":logs").user.gid, 50U);
  EXPECT_EQ(resolved(":logs").user.uid, 0U);
}

TEST(User, AnIdNeedsNoAccount) {
  ResolvedUser user = resolved("4321");
  EXPECT_EQ(user.user.uid, 4321U);
  EXPECT_EQ(user.user.gid, 0U);
  EXPECT_TRUE(user.user.additional_gids.empty());
  EXPECT_EQ(user.home, "/");
  EXPECT_EQ(resolved("4321:8765").user.gid, 8765U);
  EXPECT_EQ(resolve_user("5:6", {}).value().user.gid, 6U) << "an image without /etc";
  EXPECT_EQ(resolved("2147483647").user.uid, 2147483647U);
}

TEST(User, DigitsAreAnIdAndNeverAName) {
  EXPECT_EQ(resolved("1000").user.uid, 1000U);
  EXPECT_EQ(resolved("1000").home, "/");
  EXPECT_EQ(resolved("web:2000").user.gid, 2000U);
}

TEST(User, WhatIsNotThereIsSaid) {
  EXPECT_EQ(error_of("nobody"), ENOENT);
  EXPECT_EQ(error_of("web:nobody"), ENOENT);
  EXPECT_EQ(error_of("web:logs:x"), ENOENT);
  EXPECT_EQ(error_of("Web"), ENOENT);
  EXPECT_EQ(resolve_user("web", {}).error().code, ENOENT);
  auto user = resolve_user("nobody", accounts);
  EXPECT_NE(describe(user.error()).find("nobody"), std::string::npos);
}

TEST(User, IdsOutOfRangeAreRefused) {
  for (const char* text :
       {"-1", "+5", "2147483648", "4294967295", "99999999999999999999", "0:-1", "web:4294967295"}) {
    EXPECT_EQ(error_of(text), EINVAL) << text;
  }
}

TEST(User, AHomeThatIsNoPathIsTheRoot) { EXPECT_EQ(resolved("homeless").home, "/"); }

TEST(User, MalformedLinesHideNoOther) {
  const Accounts odd{.passwd =
                         "\n:::::\nweb\nweb:x\nweb:x:-1:0::/a:\nweb:x:5000000000:0::/b:\n"
                         "web:x:one:0::/c:\nweb:x:1\n# comment\n+::::::\n"
                         "web:x:7:8::/right:/bin/sh:more:fields\n",
                     .group = "\nextra\nextra:x\nextra:x:z:web\nextra:x:-1:web\nextra:x:9:,web,\n"};
  ResolvedUser user = resolve_user("web", odd).value();
  EXPECT_EQ(user.user.uid, 7U);
  EXPECT_EQ(user.user.gid, 8U);
  EXPECT_EQ(user.user.additional_gids, (std::vector<uint32_t>{9}));
  EXPECT_EQ(user.home, "/right");
  EXPECT_EQ(resolve_user("web:extra", odd).value().user.gid, 9U);
}

}  // namespace
}  // namespace lyr::engine
