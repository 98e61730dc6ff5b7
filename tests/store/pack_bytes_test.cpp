// SPDX-License-Identifier: Apache-2.0
#include "store/pack_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lyr::store {
namespace {

std::vector<std::byte> block(char fill, size_t bytes) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(fill));
}

std::vector<std::byte> joined(const PackBytes& bytes) {
  std::vector<std::byte> all;
  for (auto part : bytes.parts()) {
    EXPECT_FALSE(part.empty());
    all.insert(all.end(), part.begin(), part.end());
  }
  EXPECT_EQ(all.size(), bytes.size());
  return all;
}

TEST(PackBytesTest, GivesWhatWasCopiedAndWhatIsBorrowedInTheirOrder) {
  auto first = block('b', borrowed_bytes_min);
  auto second = block('c', borrowed_bytes_min + 1);
  PackBytes bytes;
  bytes.copy(block('a', 3));
  bytes.borrow(first);
  bytes.borrow(second);
  bytes.add_zeros(5);
  bytes.copy(block('d', 2));
  std::vector<std::byte> expected = block('a', 3);
  for (const auto& part : {first, second, block('\0', 5), block('d', 2)}) {
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(joined(bytes), expected);
}

TEST(PackBytesTest, WhatIsLargeIsNotCopiedAndWhatIsSmallIs) {
  auto large = block('l', borrowed_bytes_min);
  auto small = block('s', borrowed_bytes_min - 1);
  PackBytes bytes;
  bytes.borrow(large);
  bytes.borrow(small);
  auto parts = bytes.parts();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].data(), large.data());
  EXPECT_NE(parts[1].data(), small.data());
  std::ranges::fill(small, std::byte{0});
  EXPECT_EQ(parts[1].front(), std::byte{'s'});
}

TEST(PackBytesTest, IsEmptyWhenMovedFromOrCleared) {
  auto large = block('l', borrowed_bytes_min);
  PackBytes bytes;
  bytes.borrow(large);
  bytes.copy(block('a', 3));
  PackBytes other = std::move(bytes);
  EXPECT_EQ(other.size(), large.size() + 3);
  EXPECT_EQ(bytes.size(), 0u);
  EXPECT_TRUE(bytes.parts().empty());
  other.clear();
  EXPECT_EQ(other.size(), 0u);
  EXPECT_TRUE(other.parts().empty());
}

}  // namespace
}  // namespace lyr::store
