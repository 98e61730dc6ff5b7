// SPDX-License-Identifier: Apache-2.0
#include "unionfs/attribute_use.h"

#include <gtest/gtest.h>

#include <deque>
#include <utility>

namespace lyr::unionfs {
namespace {

constexpr size_t few = 10;
constexpr size_t many = 5000;

// True: with attributes.
bool lists(AttributeUse& use, uint64_t directory, size_t names) {
  bool all = use.begins(directory, names);
  use.found_file(directory, !all);
  return all;
}

// Of `count` directories with `names` each, how many are listed with attributes.
int listed_fully(AttributeUse& use, uint64_t first, uint64_t count, size_t names) {
  int fully = 0;
  for (uint64_t i = first; i < first + count; ++i) fully += lists(use, i, names) ? 1 : 0;
  return fully;
}

// Each name is looked at once so many more directories were listed: at once by tar, du and rm,
// later by what reads from a pipe that find writes to. How many LOOKUPs that takes.
int lookups_of_a_walk(AttributeUse& use, uint64_t first, uint64_t count, size_t names,
                      size_t later = 0) {
  int lookups = 0;
  std::deque<std::pair<uint64_t, bool>> listed;
  auto look = [&] {
    auto [directory, all] = listed.front();
    listed.pop_front();
    if (all) return;
    for (size_t name = 0; name < names; ++name) use.looked_up(directory);
    lookups += static_cast<int>(names);
  };
  for (uint64_t i = first; i < first + count; ++i) {
    listed.emplace_back(i, lists(use, i, names));
    if (listed.size() > later) look();
  }
  while (!listed.empty()) look();
  return lookups;
}

TEST(AttributeUse, LargeDirectoriesAreListedFullyUntilSmallOnesTell) {
  AttributeUse use;
  EXPECT_TRUE(lists(use, 1, many));
  EXPECT_EQ(listed_fully(use, 2, 100, few), 0);
  EXPECT_FALSE(lists(use, 200, many));
}

TEST(AttributeUse, WhoLooksAtEachNameHasFewLookups) {
  AttributeUse use;
  EXPECT_LE(lookups_of_a_walk(use, 1, 1000, few), 80);
  EXPECT_EQ(lookups_of_a_walk(use, 2000, 1000, many), 0);
}

TEST(AttributeUse, DirectoriesOfDirectoriesTellNothing) {
  AttributeUse use;
  int lookups = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    if (i % 10 == 0) {
      lookups += lookups_of_a_walk(use, i, 1, few);
    } else {
      use.begins(i, few);
    }
  }
  EXPECT_LE(lookups, 100);  // of 2000 directories with 10 files each
}

TEST(AttributeUse, WhoLooksLaterIsNoticedToo) {
  for (size_t later : {8, 64, 200}) {
    AttributeUse use;
    EXPECT_LE(lookups_of_a_walk(use, 1, 10'000, few, later), 30'000) << later;  // of 100,000
  }
}

TEST(AttributeUse, OneLookupEndsWhatManyListingsTold) {
  AttributeUse use;
  listed_fully(use, 1, 200, few);
  ASSERT_FALSE(lists(use, 201, many));
  use.looked_up(201);
  EXPECT_TRUE(lists(use, 202, many));
  EXPECT_TRUE(lists(use, 203, few));
}

TEST(AttributeUse, LookupsElsewhereTellNothing) {
  AttributeUse use;
  ASSERT_TRUE(lists(use, 1, many));
  listed_fully(use, 2, 200, few);
  use.looked_up(1);
  use.looked_up(5000);
  EXPECT_FALSE(lists(use, 201, few));
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
  ASSERT_TRUE(lists(use, 1, many));
  ASSERT_FALSE(lists(use, 2, few));
  EXPECT_TRUE(use.goes_on(1));
  EXPECT_FALSE(use.goes_on(2));
  use.looked_up(2);
  EXPECT_TRUE(use.goes_on(2));  // until somebody looks
}

}  // namespace
}  // namespace lyr::unionfs
