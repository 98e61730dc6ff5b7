// SPDX-License-Identifier: Apache-2.0
// Overlayfs over an image: what it makes of the file handles that the image's server gives out.
// Needs root.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/unionfs/kernel_caches.h"
#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class Handles : public testing::Test {
 protected:
  Handles() : base_(fs::temp_directory_path() / ("lyr-handles." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    plant(base_ + "/plain", false);
    UnionMount::Settings settings = settings_for(Below::overlayfs);
    settings.survives = Patience{.deaths = SIZE_MAX};
    mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings);
  }
  ~Handles() override {
    mounted_.reset();
    fs::remove_all(base_);
  }
  std::string at(const char* path) const { return mounted_->path() + path; }
  ino_t number(const char* path) const {
    struct stat status{};
    EXPECT_EQ(stat(at(path).c_str(), &status), 0) << path;
    return status.st_ino;
  }
  void append(const char* path, const std::string& text) const {
    int fd = open(at(path).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  // Until the kernel knows the image's file no more: a copy then has its own number.
  void forget(const char* path, ino_t lower) const {
    constexpr int tries = 100;
    for (int i = 0; i < tries && number(path) == lower; ++i) drop_kernel_caches();
    ASSERT_NE(number(path), lower);
  }
  // What copy_file_range gives of a file from `offset` on.
  std::string copied(const char* path, off_t offset) const {
    int from = open(at(path).c_str(), O_RDONLY | O_CLOEXEC);
    int to = open(at("/copied").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    std::string text(100, 0);
    ssize_t length = copy_file_range(from, &offset, to, nullptr, text.size(), 0);
    EXPECT_EQ(pread(to, text.data(), text.size(), 0), length);
    close(from);
    close(to);
    return text.substr(0, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  }
  void make_two_names() {
    lower_ = number("/d0/f6");
    append("/d0/f6", "first");
    ASSERT_EQ(link(at("/d0/f6").c_str(), at("/d3/second").c_str()), 0);
  }
  // Both names are one inode: what one is seen to have, the other has.
  void expect_one_file() const {
    EXPECT_EQ(number("/d0/f6"), number("/d3/second"));
    auto size = static_cast<off_t>(fs::file_size(at("/d0/f6")));
    append("/d0/f6", "by the first name");
    EXPECT_EQ(copied("/d3/second", size), "by the first name");
    append("/d3/second", "by the second");
    EXPECT_EQ(copied("/d0/f6", size), "by the first nameby the second");
    int exchanged = renameat2(AT_FDCWD, at("/d0/f6").c_str(), AT_FDCWD, at("/d3/second").c_str(),
                              RENAME_EXCHANGE);
    EXPECT_EQ(exchanged, 0) << errno;
  }

  std::string base_;
  std::optional<UnionMount> mounted_;
  ino_t lower_ = 0;
};

TEST_F(Handles, ACopyKeepsTheNumberOfItsOriginal) {
  ino_t before = number("/d0/f6");
  append("/d0/f6", "more");
  EXPECT_EQ(number("/d0/f6"), before);
  ASSERT_EQ(rename(at("/d0/f6").c_str(), at("/d3/moved").c_str()), 0);
  EXPECT_EQ(number("/d3/moved"), before);
}

TEST_F(Handles, NamesOfACopyAreOneFile) {
  make_two_names();
  expect_one_file();
}

// The copy is found by the upper alone first, then its original is listed, and so known again.
TEST_F(Handles, AnOriginalThatCameBackPartsNoNames) {
  make_two_names();
  forget("/d0/f6", lower_);
  int held = open(at("/d0/f6").c_str(), O_RDONLY | O_CLOEXEC);
  for (const auto& entry : fs::directory_iterator(mounted_->served() + "/d0"))
    static_cast<void>(entry.status());
  ASSERT_EQ(fs::status(mounted_->served() + "/d0/f6").type(), fs::file_type::regular);
  expect_one_file();
  close(held);
}

// The next mount gives out the same numbers.
TEST_F(Handles, AnOriginalOfAnotherMountPartsNoNames) {
  make_two_names();
  mounted_->remount();
  int held = open(at("/d0/f6").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(fs::status(mounted_->served() + "/d0/f6").type(), fs::file_type::regular);
  expect_one_file();
  close(held);
}

TEST_F(Handles, AServerThatFollowsKnowsTheInstances) {
  make_two_names();
  mounted_->kill_server();
  EXPECT_EQ(number("/d0/f6"), lower_);
  expect_one_file();
  forget("/d0/f6", lower_);
  mounted_->kill_server();
  int held = open(at("/d0/f6").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(fs::status(mounted_->served() + "/d0/f6").type(), fs::file_type::regular);
  expect_one_file();
  close(held);
}

}  // namespace
}  // namespace lyr::unionfs
