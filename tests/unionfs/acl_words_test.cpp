// SPDX-License-Identifier: Apache-2.0
// ACLs as bytes: which are valid, whose ids they name, what is left of them.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unionfs/acl_text.h"
#include "unionfs/acl.h"

namespace lyr::unionfs {
namespace {

const MappedIds all;

TEST(Acl, IdsAreTranslated) {
  Ids ids;
  ids.users = {{.on_disk = 100000, .shown = 0, .count = 1000}};
  auto on_disk = acl_on_disk(ids, acl(7, 6, 5, 7, 1, 34));
  ASSERT_TRUE(on_disk);
  EXPECT_EQ(*on_disk, acl(7, 6, 5, 7, 1, 100034));
  EXPECT_EQ(shown_acl(ids, all, *on_disk).value(), acl(7, 6, 5, 7, 1, 34));
  auto refused = acl_on_disk(ids, acl(7, 6, 5, 7, 1, 1000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EINVAL);
}

// Of the owner, groups 10 and 20, the owner's group, at most 6, and others.
std::string of_groups(uint16_t ten, uint16_t twenty, uint16_t others) {
  return acl_of({{ACL_USER_OBJ, 7, no_id},
                 {ACL_GROUP_OBJ, 5, no_id},
                 {ACL_GROUP, ten, 10},
                 {ACL_GROUP, twenty, 20},
                 {ACL_MASK, 6, no_id},
                 {ACL_OTHER, others, no_id}});
}

TEST(Acl, WhoIsNotThereIsLeftOut) {
  auto mapped = MappedIds::parse("0 1000 1\n1 100000 30\n", "0 1000 1\n5 100000 10\n");
  ASSERT_TRUE(mapped);
  auto plain = acl_of({{ACL_USER_OBJ, 7, no_id},
                       {ACL_GROUP_OBJ, 5, no_id},
                       {ACL_MASK, 7, no_id},
                       {ACL_OTHER, 1, no_id}});
  EXPECT_EQ(shown_acl({}, *mapped, acl(7, 6, 5, 7, 1, 30)).value(), acl(7, 6, 5, 7, 1, 30));
  EXPECT_EQ(shown_acl({}, *mapped, acl(7, 6, 5, 7, 1, 31)).value(), plain);
  EXPECT_EQ(shown_acl({}, *mapped, acl(7, 0, 5, 7, 1, leave_id)).value(), plain);
  Ids ids;
  ids.users = {{.on_disk = 100000, .shown = 0, .count = 1000}};
  EXPECT_EQ(shown_acl(ids, all, acl(7, 6, 5, 7, 1, 34)).value(), plain) << "nor is it nobody";
  // Who is in group 20 is among the others then, and had no right to write.
  auto ten = acl_of({{ACL_USER_OBJ, 7, no_id},
                     {ACL_GROUP_OBJ, 5, no_id},
                     {ACL_GROUP, 7, 10},
                     {ACL_MASK, 6, no_id},
                     {ACL_OTHER, 4, no_id}});
  EXPECT_EQ(shown_acl({}, *mapped, of_groups(7, 5, 7)).value(), ten);
}

TEST(Acl, MapsAreRead) {
  auto mapped = MappedIds::parse("         0          0 4294967295\n", "");
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->has_user(UINT32_MAX - 1));
  EXPECT_FALSE(mapped->has_user(leave_id));
  EXPECT_FALSE(mapped->has_group(0));
  EXPECT_FALSE(MappedIds::parse("0 0 x", ""));
  EXPECT_FALSE(MappedIds::parse("", "0 0 4294967296"));
  ASSERT_TRUE(MappedIds::here());
}

TEST(Acl, AModeInItsPlaceGivesNobodyMore) {
  EXPECT_EQ(mode_without_acl(acl(6, 4, 0, 4, 0), 0100640).value(), 0100600U);
  EXPECT_EQ(mode_without_acl(acl(7, 7, 5, 6, 5), 02765).value(), 02744U);
  EXPECT_EQ(mode_without_acl(acl(7, 0, 7, 7, 7), 0777).value(), 0700U);
  EXPECT_EQ(mode_without_acl(of_groups(4, 6, 6), 0766).value(), 0744U);
  EXPECT_FALSE(mode_without_acl("", 0777));
}

TEST(Acl, AnImagesIsFittedToItsMode) {
  std::string wide = acl(7, 6, 5, 7, 4);
  EXPECT_EQ(lower_acl(access_acl_name, wide, S_IFREG | 0600), acl(6, 6, 5, 0, 0));
  EXPECT_EQ(lower_acl(access_acl_name, wide, S_IFREG | 04751), acl(7, 6, 5, 5, 1));
  auto small = [](uint16_t group) {
    return acl_of({{ACL_USER_OBJ, 7, no_id}, {ACL_GROUP_OBJ, group, no_id}, {ACL_OTHER, 4, no_id}});
  };
  EXPECT_EQ(lower_acl(access_acl_name, small(7), S_IFREG | 0754), small(5));
  EXPECT_EQ(lower_acl(default_acl_name, wide, S_IFDIR | 0700), wide);
  EXPECT_EQ(lower_acl(default_acl_name, wide, S_IFREG | 0700), std::nullopt);
  EXPECT_EQ(lower_acl(access_acl_name, "rw", S_IFREG | 0700), std::nullopt);
}

TEST(Acl, WhatIsNoneIsAnError) {
  std::string good = acl(7, 6, 5, 7, 1);
  EXPECT_TRUE(shown_acl({}, all, good));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(shown_acl({}, all, good.substr(0, size))) << size;
  std::string other_version = good;
  other_version[0] = 3;
  EXPECT_FALSE(shown_acl({}, all, other_version));
  AclEntry owner{ACL_USER_OBJ, 7, no_id}, user{ACL_USER, 7, 1}, group{ACL_GROUP_OBJ, 7, no_id};
  AclEntry mask{ACL_MASK, 7, no_id}, others{ACL_OTHER, 7, no_id};
  EXPECT_TRUE(shown_acl({}, all, acl_of({owner, group, others})));
  EXPECT_TRUE(shown_acl({}, all, acl_of({owner, user, user, group, mask, others})));
  for (const auto& wrong :
       std::vector<std::vector<AclEntry>>{{owner, others},
                                          {owner, user, group, others},  // without a mask
                                          {owner, owner, group, others},
                                          {user, owner, group, mask, others},
                                          {owner, group, others, mask},
                                          {{ACL_USER_OBJ, 8, 0}, group, others},
                                          {owner, {3, 7, 0}, group, others},
                                          {owner, group, others, {64, 7, 0}}}) {
    EXPECT_FALSE(shown_acl({}, all, acl_of(wrong)));
    EXPECT_FALSE(acl_on_disk({}, acl_of(wrong)));
    EXPECT_FALSE(inherit_acl(acl_of(wrong), 0644));
  }
}

}  // namespace
}  // namespace lyr::unionfs
