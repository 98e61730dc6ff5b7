// SPDX-License-Identifier: Apache-2.0
// A file of which so many pages are written, here and there, that a server with a CPU to spare has
// help in taking them, when they are written back.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/sys_file.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {

class ScatteredPages {
 public:
  ScatteredPages(UnionMount& mounted, off_t pages)
      : mounted_(mounted), pages_(pages), expected_(page_bytes * pages, '\0') {
    auto file = sys::open(path().c_str(), O_RDWR | O_CREAT, 0644);
    if (file) file_ = std::move(*file);
    EXPECT_EQ(ftruncate(file_.get(), page_bytes * pages), 0);
  }
  int file() const { return file_.get(); }

  // A third of them, others than in the rounds before and after.
  void write(int round) {
    for (off_t page = round % 3; page < pages_; page += 3) {
      std::string text(100, static_cast<char>('a' + (page + round) % 26));
      off_t at = page * page_bytes;
      expected_.replace(at, text.size(), text);
      ASSERT_EQ(pwrite(file(), text.data(), text.size(), at), ssize_t{100}) << round;
    }
  }
  // Until the server's assistant has answered something, which on a busy machine may take a while.
  void write_until_assisted() {
    for (int round = 0; round < rounds_max; ++round) {
      if (system_calls_to_write("lyr-assistant") > 0) return;
      write(round);
      EXPECT_EQ(fsync(file()), 0);
    }
    ADD_FAILURE() << "there was no assistant";
  }
  // What the upper has, and not only the kernel: the content, and when it was written.
  void expect_all_written() {
    struct stat written{}, later{};
    ASSERT_EQ(fstat(file(), &written), 0);
    file_.reset();
    mounted_.remount();
    ASSERT_EQ(stat(path().c_str(), &later), 0);
    EXPECT_EQ(later.st_mtim.tv_sec, written.st_mtim.tv_sec);
    EXPECT_EQ(later.st_mtim.tv_nsec, written.st_mtim.tv_nsec);
    std::ifstream stream(path(), std::ios::binary);
    std::string found((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    EXPECT_TRUE(found == expected_);
  }

 private:
  static constexpr off_t page_bytes = 4096;
  static constexpr int rounds_max = 500;

  std::string path() const { return mounted_.path() + "/scattered"; }
  long system_calls_to_write(std::string_view thread) const;

  UnionMount& mounted_;
  off_t pages_;
  std::string expected_;
  Fd file_;
};

// How many system calls of the server's threads of that name have written something: each answer is
// one. 0: there is no such thread.
inline long ScatteredPages::system_calls_to_write(std::string_view thread) const {
  namespace fs = std::filesystem;
  long calls = 0;
  std::error_code ends;  // a thread may end meanwhile
  fs::directory_iterator tasks("/proc/" + std::to_string(mounted_.server()) + "/task", ends);
  for (; !ends && tasks != fs::directory_iterator(); tasks.increment(ends)) {
    std::string comm, field;
    std::ifstream named(tasks->path() / "comm"), counts(tasks->path() / "io");
    std::getline(named, comm);
    long count = 0;
    while (comm == thread && counts >> field >> count) calls += field == "syscw:" ? count : 0;
  }
  return calls;
}

}  // namespace lyr::unionfs
