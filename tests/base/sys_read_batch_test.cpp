// SPDX-License-Identifier: Apache-2.0
#include "base/sys_read_batch.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <thread>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr {
namespace {

std::span<std::byte> bytes_of(std::string& text) { return std::as_writable_bytes(std::span(text)); }

size_t open_rings() {
  size_t count = 0;
  auto directory = sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  if (!directory) return count;
  auto read = sys::read_directory(*directory, [&](const sys::DirectoryEntry& entry) {
    auto target = sys::readlink_at(*directory, std::string(entry.name).c_str());
    count += target && *target == "anon_inode:[io_uring]";
    return true;
  });
  EXPECT_TRUE(read);
  return count;
}

class ReadBatch : public testing::TestWithParam<sys::ReadWay> {
 protected:
  void SetUp() override {
    auto directory = sys::open(testing::TempDir().c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(directory);
    auto file = sys::open_unnamed(*directory, O_RDWR, 0600);
    ASSERT_TRUE(file);
    file_ = std::move(*file);
    for (size_t i = 0; i < 300000; ++i) content_ += static_cast<char>(i * 31 + i / 251);
    ASSERT_TRUE(sys::write_all(file_, content_));
  }

  // Parts of different lengths all over the file, the later ones past its end.
  bool read_many(sys::ReadBatches& batches, size_t count) const {
    std::vector<std::string> heads(count);
    std::vector<std::string> texts(count);
    std::vector<sys::ReadPart> parts(count);
    for (size_t i = 0; i < count; ++i) {
      heads[i].resize(i % 3 * 40);
      texts[i].resize(i * 977 % 9000);
      parts[i].file = &file_;
      parts[i].offset = i * (content_.size() + 9000) / count;
      parts[i].head = bytes_of(heads[i]);
      parts[i].data = bytes_of(texts[i]);
    }
    batches.read(parts);
    for (size_t i = 0; i < count; ++i) {
      size_t from = std::min<size_t>(parts[i].offset, content_.size());
      std::string expected = content_.substr(from, parts[i].size());
      if (!parts[i].got || *parts[i].got != expected.size()) return false;
      if ((heads[i] + texts[i]).substr(0, expected.size()) != expected) return false;
    }
    return true;
  }

  std::string content_;
  Fd file_;
};

TEST_P(ReadBatch, GivesEachPartWhatTheFileHasThere) {
  sys::ReadBatches batches(GetParam());
  for (size_t count : {size_t{0}, size_t{1}, size_t{2}, size_t{7}}) {
    EXPECT_TRUE(read_many(batches, count)) << count;
  }
}

TEST_P(ReadBatch, TakesMorePartsThanARingHasRoomFor) {
  sys::ReadBatches batches(GetParam());
  for (size_t count = sys::ring_parts_max - 1; count <= 2 * sys::ring_parts_max + 1; ++count) {
    EXPECT_TRUE(read_many(batches, count)) << count;
  }
}

TEST_P(ReadBatch, APartThatFailsHasItsOwnError) {
  sys::ReadBatches batches(GetParam());
  auto directory = sys::open("/", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(directory);
  Fd none;
  std::string first(100, '\0');
  std::string last(100, '\0');
  std::string other(100, '\0');
  std::vector<sys::ReadPart> parts(4);
  parts[0] = {.file = &file_, .offset = 5, .data = bytes_of(first)};
  parts[1] = {.file = &*directory, .offset = 0, .data = bytes_of(other)};
  parts[2] = {.file = &none, .offset = 0, .data = bytes_of(other)};
  parts[3] = {.file = &file_, .offset = 7000, .data = bytes_of(last)};
  batches.read(parts);
  EXPECT_EQ(first, content_.substr(5, 100));
  EXPECT_EQ(last, content_.substr(7000, 100));
  ASSERT_FALSE(parts[1].got || parts[2].got);
  EXPECT_EQ(parts[1].got.error().code, EISDIR);
  EXPECT_EQ(parts[2].got.error().code, EBADF);
  EXPECT_TRUE(read_many(batches, 20));
}

TEST_P(ReadBatch, ServesThreadsSideBySide) {
  sys::ReadBatches batches(GetParam());
  constexpr size_t count = 2 * sys::kept_rings_max;
  std::array<bool, count> right{};
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        right[i] = true;
        for (size_t times = 0; times < 20; ++times) {
          if (!read_many(batches, 10 + i * 7)) right[i] = false;
        }
      });
    }
  }
  for (bool one : right) EXPECT_TRUE(one);
  EXPECT_LE(open_rings(), sys::kept_rings_max);
}

TEST_P(ReadBatch, AChildDoesNotUseItsParentsRing) {
  sys::ReadBatches batches(GetParam());
  ASSERT_TRUE(read_many(batches, 20));
  auto child = sys::spawn([&] { return read_many(batches, 20) ? 0 : 1; });
  ASSERT_TRUE(child);
  auto ending = sys::wait_pidfd(child->pidfd);
  ASSERT_TRUE(ending && *ending);
  EXPECT_EQ((*ending)->shell_code(), 0);
  EXPECT_TRUE(read_many(batches, 20));
}

INSTANTIATE_TEST_SUITE_P(BothWays, ReadBatch,
                         testing::Values(sys::ReadWay::ring, sys::ReadWay::one_by_one),
                         [](const auto& test) -> std::string {
                           return test.param == sys::ReadWay::ring ? "Ring" : "OneByOne";
                         });

// With and without a ring the bytes are the same, so the rings themselves are counted.
class ReadBatchRing : public ReadBatch {
 protected:
  void SetUp() override {
    ReadBatch::SetUp();
    auto allowed = sys::try_ring();
    if (!allowed) GTEST_SKIP() << "no ring on this host: " << describe(allowed.error());
  }
  // In a child: how it ended.
  int in_child(const std::function<int()>& body) {
    auto child = sys::spawn(body);
    if (!child) return -1;
    auto ending = sys::wait_pidfd(child->pidfd);
    return ending && *ending ? (*ending)->shell_code() : -1;
  }
};

// From here on the call has this outcome in the calling process.
bool refuse(unsigned call, unsigned code) {
  constexpr auto number_at = static_cast<unsigned>(offsetof(seccomp_data, nr));
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number_at),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && sys::set_seccomp_filter(program);
}

TEST_P(ReadBatchRing, IsKeptForTheNextBatch) {
  sys::ReadBatches batches(GetParam());
  EXPECT_TRUE(read_many(batches, 1));
  EXPECT_EQ(open_rings(), 0u);
  EXPECT_TRUE(read_many(batches, 20));
  EXPECT_TRUE(read_many(batches, 20));
  EXPECT_EQ(open_rings(), 1u);
}

TEST_P(ReadBatchRing, IsDoneWithoutWhereItIsRefused) {
  for (unsigned code : {EPERM, ENOSYS, EACCES, ENOMEM, EMFILE}) {
    int ended = in_child([&] {
      if (!refuse(SYS_io_uring_setup, code)) return 1;
      auto allowed = sys::try_ring();
      if (allowed || allowed.error().code != static_cast<int>(code)) return 2;
      sys::ReadBatches batches(GetParam());
      if (!read_many(batches, 20) || !read_many(batches, 40)) return 3;
      return open_rings() == 0 ? 0 : 4;
    });
    EXPECT_EQ(ended, 0) << code;
  }
}

// A filter may come when there is a ring already.
TEST_P(ReadBatchRing, IsGivenUpWhenItIsRefusedLater) {
  int ended = in_child([&] {
    sys::ReadBatches batches(GetParam());
    if (!read_many(batches, 20) || open_rings() != 1) return 1;
    if (!refuse(SYS_io_uring_enter, EPERM)) return 2;
    return read_many(batches, 70) ? 0 : 3;
  });
  EXPECT_EQ(ended, 0);
}

TEST_P(ReadBatchRing, IsMadeWhenThereAreDescriptorsAgain) {
  int ended = in_child([&] {
    sys::ReadBatches batches(GetParam());
    struct rlimit before{};
    if (::getrlimit(RLIMIT_NOFILE, &before) != 0) return 1;
    struct rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &none) != 0 || !read_many(batches, 20)) return 2;
    if (::setrlimit(RLIMIT_NOFILE, &before) != 0 || open_rings() != 0) return 3;
    return read_many(batches, 20) && open_rings() == 1 ? 0 : 4;
  });
  EXPECT_EQ(ended, 0);
}

INSTANTIATE_TEST_SUITE_P(WhereAllowed, ReadBatchRing, testing::Values(sys::ReadWay::ring),
                         [](const auto&) -> std::string { return "Ring"; });

}  // namespace
}  // namespace lyr
