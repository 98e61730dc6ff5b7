// SPDX-License-Identifier: Apache-2.0
// FUSE passthrough: the kernel reads and writes the upper's files itself, and who uses the union
// sees no difference. Needs root of the host and Linux 6.9.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/fd.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class Passthrough : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("lyr-passthrough." + std::to_string(getpid()));
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain");
    std::ofstream(base_ + "/plain/f") << "an image's file";
    std::ofstream(base_ + "/plain/g") << "another";
  }
  void TearDown() override {
    mounted_.reset();
    fs::remove_all(base_);
  }
  void mount(UnionMount::Settings settings = settings_for(Below::passthrough)) {
    mounted_.emplace(base_ + "/scratch", base_ + "/plain", std::move(settings));
  }
  std::string at(const char* name) const { return mounted_->path() + name; }
  // READ and WRITE requests so far.
  uint64_t transfers() const {
    const auto& counts = mounted_->counts().by_opcode;
    return counts[FUSE_READ] + counts[FUSE_WRITE];
  }
  static Fd open_at(const std::string& path, int flags, mode_t mode = 0) {
    Fd file(open(path.c_str(), flags, mode));
    EXPECT_TRUE(file.valid()) << path << ": " << strerrorname_np(errno);
    return file;
  }

  static void put(const Fd& file, const std::string& text, off_t offset = 0) {
    EXPECT_EQ(pwrite(file.get(), text.data(), text.size(), offset),
              static_cast<ssize_t>(text.size()));
  }

  static std::string get(const Fd& file, size_t size) {
    std::string text(size, '\0');
    ssize_t got = pread(file.get(), text.data(), size, 0);
    text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return text;
  }

  static struct stat status_of(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status;
  }
  // By a child that is somebody else.
  static void write_as_other(const Fd& file) {
    pid_t child = fork();
    if (child == 0)
      _exit(setgid(1000) == 0 && setuid(1000) == 0 && write(file.get(), "!", 1) == 1 ? 0 : 1);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

  std::string base_;
  std::optional<UnionMount> mounted_;
};

TEST_F(Passthrough, NewFilesAreReadAndWrittenWithoutARequest) {
  mount();
  uint64_t before = transfers();
  std::string text(8 << 20, 'x');
  {
    Fd file = open_at(at("/new"), O_RDWR | O_CREAT | O_EXCL, 0644);
    for (off_t offset = 0; offset < (8 << 20); offset += 4096)
      put(file, text.substr(0, 4096), offset);
    EXPECT_EQ(get(file, text.size()), text);
  }
  EXPECT_EQ(read_whole(at("/new")), text);
  EXPECT_EQ(status_of(at("/new")).st_size, 8 << 20);
  EXPECT_EQ(transfers(), before);
}

TEST_F(Passthrough, AnImagesFileOnceItIsCopied) {
  mount();
  {
    Fd file = open_at(at("/f"), O_RDWR);
    uint64_t before = transfers();
    put(file, "AN");
    EXPECT_EQ(get(file, 100), "AN image's file");
    EXPECT_EQ(transfers(), before);
  }
  EXPECT_EQ(read_whole(mounted_->upper() + "/f"), "AN image's file");
  uint64_t before = transfers();
  EXPECT_EQ(read_whole(at("/g")), "another");
  EXPECT_EQ(transfers(), before + 1);  // the image's
}

// Who has it open through the server goes on so, and all others with him.
TEST_F(Passthrough, WhoReadsTheImagesFileSeesWhatIsWrittenAfter) {
  mount();
  {
    Fd reader = open_at(at("/f"), O_RDONLY);
    EXPECT_EQ(get(reader, 100), "an image's file");
    void* mapped = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, reader.get(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    Fd writer = open_at(at("/f"), O_RDWR | O_APPEND);
    EXPECT_EQ(write(writer.get(), ", once", 6), 6);
    put(writer, "", 0);
    EXPECT_EQ(get(reader, 100), "an image's file, once");
    EXPECT_EQ(std::string(static_cast<char*>(mapped)), "an image's file, once");
    Fd third = open_at(at("/f"), O_RDONLY);
    EXPECT_EQ(get(third, 100), "an image's file, once");
    munmap(mapped, 4096);
  }
  // They are closed, so the next one is the upper's; what the kernel has of the image is of no use.
  uint64_t before = transfers();
  {
    Fd file = open_at(at("/f"), O_RDWR);
    put(file, "AN");
  }
  EXPECT_EQ(read_whole(at("/f")), "AN image's file, once");
  EXPECT_EQ(transfers(), before);
}

TEST_F(Passthrough, WhatAMappingWritesShowsInTheTimes) {
  mount();
  Fd file = open_at(at("/new"), O_RDWR | O_CREAT, 0644);
  put(file, std::string(4096, 'a'));
  struct timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(futimens(file.get(), old), 0);
  EXPECT_EQ(status_of(at("/new")).st_mtime, 1);
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  static_cast<char*>(mapped)[0] = 'b';
  ASSERT_EQ(msync(mapped, 4096, MS_SYNC), 0);
  EXPECT_GT(status_of(at("/new")).st_mtime, 1);
  ASSERT_EQ(munmap(mapped, 4096), 0);
  EXPECT_EQ(get(file, 1), "b");
}

// The kernel takes the file for closed then.
TEST_F(Passthrough, AMappingOutlivesItsDescriptor) {
  mount();
  Fd file = open_at(at("/new"), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(ftruncate(file.get(), 1 << 20), 0);
  void* mapped = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  file.reset();
  struct timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, at("/new").c_str(), old, 0), 0);
  EXPECT_EQ(status_of(at("/new")).st_blocks, 0);
  std::memset(mapped, 'm', 1 << 20);
  ASSERT_EQ(msync(mapped, 1 << 20, MS_SYNC), 0);
  EXPECT_GE(status_of(at("/new")).st_blocks, 1 << 11);
  EXPECT_GT(status_of(at("/new")).st_mtime, 1);
  ASSERT_EQ(munmap(mapped, 1 << 20), 0);
}

TEST_F(Passthrough, WhatAMappingWritesThroughTheServerShowsInTheTimes) {
  mount();
  Fd reader = open_at(at("/f"), O_RDONLY);
  Fd writer = open_at(at("/f"), O_RDWR);
  struct timespec old[2] = {{1, 0}, {1, 0}};
  ASSERT_EQ(futimens(writer.get(), old), 0);
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  static_cast<char*>(mapped)[0] = 'A';
  ASSERT_EQ(msync(mapped, 4096, MS_SYNC), 0);
  EXPECT_GT(status_of(at("/f")).st_mtime, 1);
  EXPECT_EQ(get(reader, 2), "An");
  ASSERT_EQ(munmap(mapped, 4096), 0);
}

TEST_F(Passthrough, AWriteByAnotherTakesSetUserIdAway) {
  mount();
  for (bool after : {false, true}) {
    SCOPED_TRACE(after);
    std::string path = at(after ? "/after" : "/before");
    {
      Fd made = open_at(path, O_RDWR | O_CREAT, 0666);
    }
    if (!after) {
      ASSERT_EQ(chmod(path.c_str(), 06777), 0);
    }
    Fd file = open_at(path, O_WRONLY);
    if (after) {
      ASSERT_EQ(chmod(path.c_str(), 06777), 0);
    }
    EXPECT_EQ(status_of(path).st_mode & 07777, 06777U);
    write_as_other(file);
    EXPECT_EQ(status_of(path).st_mode & 07777, 0777U);
    file.reset();
    EXPECT_EQ(status_of(path).st_mode & 07777, 0777U);
  }
}

TEST_F(Passthrough, TruncatedAndRemovedWhileOpen) {
  mount();
  Fd file = open_at(at("/f"), O_RDWR);
  put(file, "longer than it was before");
  {
    Fd emptied = open_at(at("/f"), O_RDONLY | O_TRUNC);
  }
  EXPECT_EQ(status_of(at("/f")).st_size, 0);
  EXPECT_EQ(get(file, 10), "");
  put(file, "again");
  ASSERT_EQ(unlink(at("/f").c_str()), 0);
  put(file, "AG");
  EXPECT_EQ(get(file, 10), "AGain");
  struct stat status{};
  ASSERT_EQ(fstat(file.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  Fd other = open_at(at("/f"), O_RDWR | O_CREAT | O_EXCL, 0600);
  EXPECT_EQ(get(other, 10), "");
}

// A server that follows knows which files are open, and what backs them.
TEST_F(Passthrough, OpenFilesOutliveTheServer) {
  UnionMount::Settings settings = settings_for(Below::passthrough);
  settings.survives = Patience{.deaths = SIZE_MAX};
  mount(settings);
  Fd upper = open_at(at("/new"), O_RDWR | O_CREAT, 0644);
  Fd lower = open_at(at("/f"), O_RDONLY);
  put(upper, "before");
  for (int round = 0; round < 3; ++round) {
    pid_t server = mounted_->server();
    mounted_->kill_server();
    while (mounted_->server() == server) continue;
    put(upper, "after ");
    Fd again = open_at(at("/new"), O_RDWR | O_APPEND);
    EXPECT_EQ(write(again.get(), "x", 1), 1);
    EXPECT_EQ(get(again, 100), "after " + std::string(static_cast<size_t>(round) + 1, 'x'));
    Fd writer = open_at(at("/f"), O_WRONLY);
    put(writer, "AN");
    EXPECT_EQ(get(lower, 100), "AN image's file");
  }
  upper.reset();
  lower.reset();
  EXPECT_EQ(read_whole(at("/new")), "after xxx");
  EXPECT_EQ(read_whole(at("/f")), "AN image's file");
}

// As in a container of another engine: the upper is on an overlay.
TEST_F(Passthrough, OverAFileSystemThatIsStackedItself) {
  UnionMount::enter_private_namespace();
  for (const char* name : {"/o/lower", "/o/upper", "/o/work", "/scratch"})
    fs::create_directories(base_ + name);
  std::string options =
      "lowerdir=" + base_ + "/o/lower,upperdir=" + base_ + "/o/upper,workdir=" + base_ + "/o/work";
  ASSERT_EQ(::mount("o", (base_ + "/scratch").c_str(), "overlay", 0, options.c_str()), 0)
      << strerrorname_np(errno);
  mount();
  uint64_t before = transfers();
  {
    Fd file = open_at(at("/new"), O_RDWR | O_CREAT, 0644);
    put(file, "text");
    EXPECT_EQ(get(file, 10), "text");
  }
  EXPECT_EQ(transfers(), before);
  mounted_.reset();
  EXPECT_EQ(umount((base_ + "/scratch").c_str()), 0);
}

}  // namespace
}  // namespace lyr::unionfs
