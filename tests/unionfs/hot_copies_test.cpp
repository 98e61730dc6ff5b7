// SPDX-License-Identifier: Apache-2.0
// A large file of the image that is written to is copied once; the next container shares the blocks
// of that copy, where the file system can (tests/on_file_system runs this on XFS and btrfs).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/store/reflinks.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t large_bytes = 6 << 20;

class HotCopies : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("lyr-hot." + std::to_string(getpid()));
    fs::create_directories(base_ + "/plain");
    if (!has_reflinks(base_)) GTEST_SKIP() << "no blocks can be shared here, but on XFS and btrfs";
    std::ofstream out(base_ + "/plain/large");
    uint32_t state = 1;
    for (uint64_t i = 0; i < large_bytes; ++i) {
      state = state * 1664525 + 1013904223;
      content_ += static_cast<char>(state >> 24);
    }
    out << content_;
  }
  void TearDown() override { fs::remove_all(base_); }

  static void write_at(const std::string& path, const std::string& text, off_t offset) {
    int file = open(path.c_str(), O_WRONLY);
    ASSERT_EQ(pwrite(file, text.data(), text.size(), offset), static_cast<ssize_t>(text.size()));
    ASSERT_EQ(fsync(file), 0);
    close(file);
  }
  // What a process has read so far, whether from a disk or not.
  // What is read through a ring is not counted there, so it tells nothing of reads.
  static uint64_t written_by(pid_t process) {
    std::ifstream in("/proc/" + std::to_string(process) + "/io");
    std::string word;
    uint64_t bytes = 0;
    while (in >> word >> bytes && word != "wchar:") continue;
    return bytes;
  }
  std::string changed(const std::string& text, size_t offset) const {
    return std::string(content_).replace(offset, text.size(), text);
  }
  size_t hot_files() const {
    std::string hot = base_ + "/one/store/hot";
    if (!fs::exists(hot)) return 0;
    auto all = fs::directory_iterator(hot);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  }

  std::string base_, content_;
};

TEST_F(HotCopies, TheNextContainerSharesBlocks) {
  UnionMount one(base_ + "/one", base_ + "/plain");
  UnionMount two(base_ + "/two", one);
  write_at(one.path() + "/large", "one", 100);
  EXPECT_EQ(hot_files(), 1u);
  EXPECT_GT(written_by(one.server()), large_bytes);

  EXPECT_TRUE(fs::exists(two.path() + "/large"));  // it serves
  uint64_t before = written_by(two.server());
  write_at(two.path() + "/large", "two", large_bytes - 3);
  EXPECT_LT(written_by(two.server()) - before, large_bytes / 4);
  for (const auto* mount : {&one, &two}) {
    BlockShares shares = block_shares(mount->upper() + "/large");
    EXPECT_GT(shares.shared, large_bytes * 9 / 10);
    EXPECT_GT(shares.own, 0u);
    EXPECT_LT(shares.own, large_bytes / 10);
  }
  EXPECT_EQ(read_whole(one.path() + "/large"), changed("one", 100));
  EXPECT_EQ(read_whole(two.path() + "/large"), changed("two", large_bytes - 3));
  UnionMount three(base_ + "/three", one);
  EXPECT_EQ(chmod((three.path() + "/large").c_str(), 0600), 0);  // copied, and not changed
  EXPECT_EQ(read_whole(three.path() + "/large"), content_);
  EXPECT_EQ(block_shares(three.upper() + "/large").own, 0u);
}

// Blocks can be shared once they are on the disk, and a container that nobody wants after a power
// cut does not wait for that. It takes what others kept.
TEST_F(HotCopies, WhatIsVolatileKeepsNothing) {
  bool durable = false;
  UnionMount::Settings settings;
  settings.adjust = [&](Options& options) { options.durable = options.sync = durable; };
  UnionMount one(base_ + "/one", base_ + "/plain", settings);
  write_at(one.path() + "/large", "one", 100);
  EXPECT_EQ(hot_files(), 0u);
  durable = true;
  UnionMount two(base_ + "/two", one);
  write_at(two.path() + "/large", "two", 100);
  EXPECT_EQ(hot_files(), 1u);
  durable = false;
  UnionMount three(base_ + "/three", one);
  write_at(three.path() + "/large", "3", 100);
  EXPECT_GT(block_shares(three.upper() + "/large").shared, large_bytes * 9 / 10);
  EXPECT_EQ(read_whole(three.path() + "/large"), changed("3", 100));
}

TEST_F(HotCopies, ADamagedOneIsMadeAnew) {
  UnionMount one(base_ + "/one", base_ + "/plain");
  write_at(one.path() + "/large", "one", 100);
  fs::path hot = fs::directory_iterator(base_ + "/one/store/hot")->path();
  fs::permissions(hot, fs::perms::owner_write, fs::perm_options::add);
  write_at(hot, "damage", 200);
  UnionMount two(base_ + "/two", one);
  write_at(two.path() + "/large", "two", 100);
  EXPECT_EQ(read_whole(two.path() + "/large"), changed("two", 100));
  EXPECT_EQ(read_whole(hot), content_);
}

}  // namespace
}  // namespace lyr::unionfs
