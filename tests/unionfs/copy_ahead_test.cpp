// SPDX-License-Identifier: Apache-2.0
#include "unionfs/copy_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

constexpr uint64_t range_begin = 4096;
constexpr uint64_t range_end =
    range_begin + CopyAhead::ahead_bytes_min + CopyAhead::piece_bytes + 17;

std::byte content_at(uint64_t offset) {
  return static_cast<std::byte>(offset * 37 + offset / 4096);
}

// A file of `range_end` bytes that is not one. Any number of threads may read it.
class Content {
 public:
  CopyAhead copied_on(std::span<const int> cpus) {
    return {.read = [this](uint64_t offset, std::span<std::byte> data) -> Result<size_t> {
              return read(offset, data);
            },
            .cpus = cpus};
  }
  std::set<std::thread::id> readers() const { return readers_; }
  std::vector<int> cpus() const { return cpus_; }  // that the last reader was allowed

  uint64_t fails_at = range_end + 1;  // a read at or after it
  uint64_t ends_at = range_end;

 private:
  Result<size_t> read(uint64_t offset, std::span<std::byte> data) {
    std::scoped_lock lock(mutex_);
    readers_.insert(std::this_thread::get_id());
    cpus_ = sys::cpus_allowed().value();
    if (offset >= fails_at) return fail(EUCLEAN, "read");
    // In two parts: who reads has to ask again.
    uint64_t count = std::min<uint64_t>(data.size(), ends_at - std::min(ends_at, offset));
    if (count > 4096) count = count / 2 + 1;
    for (uint64_t i = 0; i < count; ++i) data[i] = content_at(offset + i);
    return count;
  }

  std::mutex mutex_;
  std::set<std::thread::id> readers_;
  std::vector<int> cpus_;
};

class CopyAheadTest : public testing::Test {
 protected:
  void SetUp() override {
    int file = memfd_create("copy", MFD_CLOEXEC);
    ASSERT_GE(file, 0);
    to_ = Fd(file);
  }
  void expect_whole() const {
    std::vector<std::byte> got(range_end);
    ASSERT_EQ(pread(to_.get(), got.data(), got.size(), 0), static_cast<ssize_t>(range_end));
    for (uint64_t i = 0; i < range_begin; ++i) ASSERT_EQ(got[i], std::byte{0}) << i;
    for (uint64_t i = range_begin; i < range_end; ++i) ASSERT_EQ(got[i], content_at(i)) << i;
  }

  Content content_;
  Fd to_;
  std::vector<int> two_ = {0, 1};  // where one does not exist, the thread runs where it may
};

TEST_F(CopyAheadTest, AnotherThreadReadsALargeRange) {
  ASSERT_TRUE(copy_ahead(content_.copied_on(two_), range_begin, range_end, to_));
  EXPECT_EQ(content_.readers().size(), 1U);
  EXPECT_FALSE(content_.readers().contains(std::this_thread::get_id()));
  expect_whole();
}

TEST_F(CopyAheadTest, TheReaderKeepsOffTheCpuOfWhoWrites) {
  std::vector<int> all = sys::cpus_allowed().value();
  if (all.size() < 2) GTEST_SKIP() << "there is one CPU";
  for (size_t side : {0, 1}) {
    std::vector<int> one{all[side]};
    std::vector<int> others = all;
    std::erase(others, all[side]);
    ASSERT_TRUE(sys::allow_cpus(one));
    auto done = copy_ahead(content_.copied_on(all), range_begin, range_end, to_);
    EXPECT_EQ(sys::cpus_allowed().value(), one) << "the caller's own";
    ASSERT_TRUE(sys::allow_cpus(all));
    ASSERT_TRUE(done);
    EXPECT_EQ(content_.cpus(), others);
  }
}

// A thread that ended at once must not leave its CPUs to the caller.
TEST_F(CopyAheadTest, AReaderThatFailsAtOnceLeavesTheCallersCpusAlone) {
  std::vector<int> all = sys::cpus_allowed().value();
  content_.fails_at = 0;
  for (int round = 0; round < 300; ++round) {
    EXPECT_FALSE(copy_ahead(content_.copied_on(all), range_begin, range_end, to_));
    ASSERT_EQ(sys::cpus_allowed().value(), all) << "round " << round;
  }
}

TEST_F(CopyAheadTest, WithOneCpuThereIsOneThread) {
  ASSERT_TRUE(
      copy_ahead(content_.copied_on(std::span(two_).first(1)), range_begin, range_end, to_));
  EXPECT_EQ(content_.readers(), std::set{std::this_thread::get_id()});
  expect_whole();
}

TEST_F(CopyAheadTest, ASmallRangeIsReadByWhoWritesIt) {
  ASSERT_TRUE(copy_ahead(content_.copied_on(two_), range_end - 5000, range_end, to_));
  EXPECT_EQ(content_.readers(), std::set{std::this_thread::get_id()});
  std::vector<std::byte> got(5000);
  ASSERT_EQ(pread(to_.get(), got.data(), got.size(), range_end - 5000), 5000);
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_EQ(got[i], content_at(range_end - 5000 + i)) << i;
  ASSERT_TRUE(copy_ahead(content_.copied_on(two_), range_end, range_end, to_));
}

TEST_F(CopyAheadTest, WhatReadingSaysIsTheResult) {
  for (uint64_t at : {range_begin, range_begin + 5 * CopyAhead::piece_bytes, range_end - 17}) {
    content_.fails_at = at;
    auto done = copy_ahead(content_.copied_on(two_), range_begin, range_end, to_);
    ASSERT_FALSE(done) << at;
    EXPECT_EQ(done.error().code, EUCLEAN) << at;
  }
}

TEST_F(CopyAheadTest, AFileThatHasBecomeShorterIsAnError) {
  content_.ends_at = range_end - 1;
  for (size_t cpus : {1, 2}) {
    auto done =
        copy_ahead(content_.copied_on(std::span(two_).first(cpus)), range_begin, range_end, to_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, EIO);
  }
}

TEST_F(CopyAheadTest, WhoCannotWriteEndsTheReading) {
  Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full.valid());
  auto done = copy_ahead(content_.copied_on(two_), range_begin, range_end, full);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ENOSPC);
}

}  // namespace
}  // namespace lyr::unionfs
