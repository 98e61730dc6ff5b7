// SPDX-License-Identifier: Apache-2.0
#include "unionfs/attribute_use.h"

#include <gtest/gtest.h>

namespace lyr::unionfs {
namespace {

constexpr size_t few = 10;
constexpr size_t many = 5000;

// Of `count` directories with `names` each, how many are listed with attributes.
int listed_fully(AttributeUse& use, uint64_t first, uint64_t count, size_t names) {
  int fully = 0;
  for (uint64_t i = first; i < first + count; ++i) fully += use.begins(i, names) ? 1 : 0;
  return fully;
}

// As tar, du and rm do: each name is looked at once it was listed.
int lookups_of_a_walk(AttributeUse& use, uint64_t first, uint64_t count, size_t names) {
  int lookups = 0;
  for (uint64_t i = first; i < first + count; ++i) {
    if (use.begins(i, names)) continue;
    for (size_t name = 0; name < names; ++name) use.looked_up(i);
    lookups += static_cast<int>(names);
  }
  return lookups;
}

TEST(AttributeUse, LargeDirectoriesAreListedFullyUntilSmallOnesTell) {
  AttributeUse use;
  EXPECT_TRUE(use.begins(1, many));
  EXPECT_EQ(listed_fully(use, 2, 100, few), 0);
  EXPECT_FALSE(use.begins(200, many));
}

TEST(AttributeUse, WhoLooksAtEachNameHasFewLookups) {
  AttributeUse use;
  EXPECT_LE(lookups_of_a_walk(use, 1, 1000, few), 80);
  EXPECT_EQ(lookups_of_a_walk(use, 2000, 1000, many), 0);
}

TEST(AttributeUse, OneLookupEndsWhatManyListingsTold) {
  AttributeUse use;
  listed_fully(use, 1, 200, few);
  ASSERT_FALSE(use.begins(201, many));
  use.looked_up(201);
  EXPECT_TRUE(use.begins(202, many));
  EXPECT_TRUE(use.begins(203, few));
}

TEST(AttributeUse, LookupsElsewhereTellNothing) {
  AttributeUse use;
  ASSERT_TRUE(use.begins(1, many));
  listed_fully(use, 2, 200, few);
  use.looked_up(1);
  use.looked_up(5000);
  EXPECT_FALSE(use.begins(201, few));
}

TEST(AttributeUse, WhoComesLaterIsFoundOut) {
  AttributeUse use;
  lookups_of_a_walk(use, 1, 1000, few);
  listed_fully(use, 2000, 3000, few);  // somebody who looks at nothing
  EXPECT_EQ(listed_fully(use, 6000, 100, many), 0);
  EXPECT_EQ(listed_fully(use, 7000, 100, few), 0);
}

// A page that follows must not be of another kind: names would have attributes or not by chance.
TEST(AttributeUse, AListingGoesOnAsItBegan) {
  AttributeUse use;
  ASSERT_TRUE(use.begins(1, many));
  ASSERT_FALSE(use.begins(2, few));
  EXPECT_TRUE(use.goes_on(1));
  EXPECT_FALSE(use.goes_on(2));
  use.looked_up(2);
  EXPECT_TRUE(use.goes_on(2));  // until somebody looks
}

}  // namespace
}  // namespace lyr::unionfs
