// SPDX-License-Identifier: Apache-2.0
#include "store/pack_writes.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/sys_file.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class PackWritesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-writes-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    directory_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  std::shared_ptr<const Fd> file(int flags) {
    return std::make_shared<const Fd>(must(sys::open_at(directory_, "f", flags | O_CREAT, 0600)));
  }
  static std::vector<std::byte> block(char fill, size_t bytes) {
    return std::vector<std::byte>(bytes, static_cast<std::byte>(fill));
  }

  std::string path_;
  Fd directory_;
};

TEST_F(PackWritesTest, EverythingAddedIsInTheFileWhenFinishReturns) {
  constexpr size_t bytes = 100'000;
  constexpr size_t blocks = 40;
  auto shared = file(O_RDWR);
  PackWrites writes;
  std::vector<std::jthread> threads;
  for (size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (size_t i = thread; i < blocks; i += 4) {
        must(writes.add(shared, "f", i * bytes, block(static_cast<char>('a' + i), bytes)));
        must(writes.finish());
        std::vector<std::byte> got(bytes);
        must(sys::pread_exactly(*shared, got, i * bytes));
        EXPECT_EQ(got, block(static_cast<char>('a' + i), bytes));
      }
    });
  }
}

TEST_F(PackWritesTest, MoreThanMayWaitIsWrittenByWhoAdds) {
  auto shared = file(O_RDWR);
  PackWrites writes;
  size_t half = pack_writes_bytes_max / 2;
  must(writes.add(shared, "f", 0, block('a', half)));
  EXPECT_EQ(must(sys::stat(*shared)).st_size, 0) << "it waits";
  must(writes.add(shared, "f", half, block('b', half + 1)));
  EXPECT_EQ(must(sys::stat(*shared)).st_size, pack_writes_bytes_max + 1);
}

TEST_F(PackWritesTest, WhoNeedsTheFirstDoesNotWriteTheRest) {
  auto shared = file(O_RDWR);
  PackWrites writes;
  must(writes.add(shared, "f", 0, block('a', 10)));
  uint64_t first = writes.added();
  must(writes.add(shared, "f", 10, block('b', 10)));
  must(writes.finish(first));
  EXPECT_EQ(must(sys::stat(*shared)).st_size, 10);
  must(writes.help());
  EXPECT_EQ(must(sys::stat(*shared)).st_size, 20);
}

// More parts than one call takes, of sizes that end anywhere.
TEST_F(PackWritesTest, WhatIsBorrowedIsWrittenWhereItStands) {
  std::vector<std::vector<std::byte>> blocks;
  PackBytes bytes;
  std::vector<std::byte> expected;
  for (size_t i = 0; i < 700; ++i) {
    blocks.push_back(block(static_cast<char>(i), borrowed_bytes_min - 3 + i % 7));
    auto header = block('h', 64 + i % 3);
    bytes.copy(header);
    bytes.borrow(blocks.back());
    expected.insert(expected.end(), header.begin(), header.end());
    expected.insert(expected.end(), blocks.back().begin(), blocks.back().end());
  }
  auto shared = file(O_RDWR);
  PackWrites writes;
  must(writes.add(shared, "f", 5, std::move(bytes)));
  must(writes.finish());
  std::vector<std::byte> got(expected.size());
  must(sys::pread_exactly(*shared, got, 5));
  EXPECT_EQ(got, expected);
}

TEST_F(PackWritesTest, AWriteThatFailsIsToldToAll) {
  auto good = file(O_RDWR);
  PackWrites writes;
  must(writes.add(file(O_RDONLY), "0123.pack", 0, block('a', 10)));
  for (int i = 0; i < 2; ++i) {
    auto finished = writes.finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, EBADF);
    EXPECT_NE(describe(finished.error()).find("0123.pack"), std::string::npos);
  }
  EXPECT_FALSE(writes.add(good, "f", 0, block('b', 10)));
  EXPECT_EQ(must(sys::stat(*good)).st_size, 0);
}

}  // namespace
}  // namespace lyr::store
