// SPDX-License-Identifier: Apache-2.0
#include "unionfs/kept_times.h"

#include <gtest/gtest.h>

namespace lyr::unionfs {
namespace {

constexpr uint64_t stripes = 64;  // nodes that far apart have one lock, and little room

TEST(KeptTimes, KnowWhatWasToldJustBefore) {
  KeptTimes times;
  EXPECT_FALSE(times.was_told(7, 10));
  times.tell(7, 1000);
  EXPECT_TRUE(times.was_told(7, 1000));
  EXPECT_TRUE(times.was_told(7, 2999));
  EXPECT_FALSE(times.was_told(7, 3000));
  EXPECT_FALSE(times.was_told(8, 1000));
  EXPECT_FALSE(times.was_told(7 + stripes, 1000));
}

TEST(KeptTimes, OfManyFilesTheLastAreKnown) {
  KeptTimes times;
  for (uint64_t i = 0; i < 5; ++i) times.tell(7 + i * stripes, 1000);
  EXPECT_FALSE(times.was_told(7, 1000));
  for (uint64_t i = 1; i < 5; ++i) EXPECT_TRUE(times.was_told(7 + i * stripes, 1000)) << i;
}

}  // namespace
}  // namespace lyr::unionfs
