// SPDX-License-Identifier: Apache-2.0
// What POSIX and Linux say of modes, times, sizes and what was removed, as a plain directory has
// it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/sys_event.h"
#include "tests/unionfs/semantics.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class Posix : public Semantics {
 protected:
  // Files with this mode, by another than their owner; the kernel asks for no mode when he did.
  void others_change(mode_t mode);
};

// What another user's changes do to set-id bits, and what that user's own files keep.
TEST_P(Posix, SetIdBits) {
  for (const std::string& root : {mounted_->path(), plain_}) {
    ASSERT_EQ(chmod(root.c_str(), 0777), 0);
    for (const char* name : {"/f", "/large", "/sparse"})
      ASSERT_EQ(chmod((root + name).c_str(), 06777), 0);
  }
  compare([](const std::string& root) {
    pid_t child = fork();
    if (child == 0) {
      bool good = setgid(1000) == 0 && setuid(1000) == 0;
      umask(0);
      int made = open((root + "/made").c_str(), O_WRONLY | O_CREAT | O_EXCL, 04755);
      good &= made >= 0 && mknod((root + "/pipe").c_str(), S_IFIFO | 0644, 0) == 0;
      good &= truncate((root + "/f").c_str(), 100) == 0;
      int file = open((root + "/large").c_str(), O_WRONLY);
      good &= pwrite(file, "x", 1, 0) == 1 && close(file) == 0;
      good &= open((root + "/sparse").c_str(), O_WRONLY | O_TRUNC) >= 0;
      _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return std::to_string(status);
  });
}

// A directory that passes its group on, and set-id bits from the start, by a user who is not root.
TEST_P(Posix, SetIdBitsOfWhatIsNew) {
  for (const std::string& root : {mounted_->path(), plain_}) {
    ASSERT_EQ(chown((root + "/d").c_str(), 7, 1000), 0);
    ASSERT_EQ(chmod((root + "/d").c_str(), 02777), 0);
    fs::remove(root + "/d/name");
  }
  compare([](const std::string& root) {
    pid_t child = fork();
    if (child == 0) {
      bool good = setgid(1001) == 0 && setuid(1001) == 0;
      umask(0);
      std::string directory = root + "/d";
      good &= open((directory + "/file").c_str(), O_WRONLY | O_CREAT, 04755) >= 0;
      good &= open((directory + "/name").c_str(), O_WRONLY | O_CREAT, 0644) >= 0;  // was removed
      good &= mkdir((directory + "/inside").c_str(), 0750) == 0;
      good &= symlink("name", (directory + "/link").c_str()) == 0;
      int unnamed = open(directory.c_str(), O_WRONLY | O_TMPFILE, 04711);
      std::string shown = "/proc/self/fd/" + std::to_string(unnamed);
      good &= linkat(AT_FDCWD, shown.c_str(), AT_FDCWD, (directory + "/unnamed").c_str(),
                     AT_SYMLINK_FOLLOW) == 0;
      _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return std::to_string(status);
  });
}

// The kernel's own idea of the mode counts, which nobody has asked it for since.
TEST_P(Posix, WhatAnotherWroteIsNotExecutedAsItsOwner) {
  for (const std::string& root : {mounted_->path(), plain_})
    ASSERT_EQ(chmod(root.c_str(), 0777), 0);
  compare([](const std::string& root) {
    std::string path = root + "/program";
    std::string content = read_whole("/usr/bin/id");
    int file = open(path.c_str(), O_CREAT | O_WRONLY, 04777);
    EXPECT_EQ(fchmod(file, 04777), 0);
    auto out = sys::pipe();
    auto closed = sys::pipe();
    pid_t child = fork();
    if (child == 0) {
      // From within: what is above may be root's alone.
      bool good = chdir(root.c_str()) == 0 && setgid(1000) == 0 && setuid(1000) == 0;
      for (size_t done = 0; good && done < content.size();) {
        ssize_t written = write(file, content.data() + done, content.size() - done);
        good = written > 0;
        done += good ? static_cast<size_t>(written) : 0;
      }
      close(file);
      closed->write.reset();
      char none = 0;
      good &= read(closed->read.get(), &none, 1) == 0;  // nobody has it open for writing any more
      if (!good || dup2(out->write.get(), STDOUT_FILENO) < 0) _exit(1);
      execl("./program", "id", "-u", nullptr);
      _exit(2);
    }
    close(file);
    out->write.reset();
    closed->write.reset();
    int status = 0;
    waitpid(child, &status, 0);
    char said[16] = {};
    EXPECT_GT(read(out->read.get(), said, sizeof said - 1), 0) << status;
    return std::string(said);
  });
}

// By calls of which the kernel does not say that they take such bits away.
TEST_P(Posix, WhatAnotherAllocatesOrCopiesTakesSetIdBits) { others_change(06777); }

// Without the right to execute it for the group: for those who are not in it, as he is not.
TEST_P(Posix, SetGroupIdGoesWithoutExecutionToo) {
  others_change(06767);
  others_change(02767);
}

void Posix::others_change(mode_t mode) {
  const char* names[] = {"/f", "/log", "/large", "/sparse", "/written", "/cut"};
  // With passthrough the kernel writes as the server without CAP_FSETID, for root, too, if nobody
  // else has the file open from before: see SetIdBits for that.
  bool by_kernel = GetParam() == Below::passthrough;
  for (const std::string& root : {mounted_->path(), plain_}) {
    ASSERT_EQ(chmod(root.c_str(), 0777), 0);
    for (const char* name : {"/source", "/written", "/cut"})
      write_file(root + name, std::string(5000, 's'));
    for (const char* name : names) ASSERT_EQ(chmod((root + name).c_str(), mode), 0);
  }
  compare([&](const std::string& root) {
    auto change = [&](const char* name, auto how) {
      int file = open((root + name).c_str(), O_RDWR);
      bool changed = how(file);
      close(file);
      return changed;
    };
    auto all = [&] {
      int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      int source = open((root + "/source").c_str(), O_RDONLY);
      auto copy = [&](int to) {
        return copy_file_range(source, nullptr, to, nullptr, 5000, 0) > 0;
      };
      bool done =
          change("/f", copy) &&
          change("/log", [](int file) { return fallocate(file, 0, 0, 100) == 0; }) &&
          change("/large", [&](int file) { return fallocate(file, punch, 0, 8192) == 0; }) &&
          change("/sparse",
                 [](int file) { return fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 100) == 0; }) &&
          (by_kernel ||
           change("/written", [](int file) { return pwrite(file, "x", 1, 100) == 1; })) &&
          change("/cut", [](int file) { return ftruncate(file, 100) == 0; });
      close(source);
      return done;
    };
    auto modes = [&] {
      std::string said;
      for (const char* name : names) {
        struct stat status{};
        EXPECT_EQ(stat((root + name).c_str(), &status), 0);
        said += " " + std::to_string(status.st_mode);
      }
      return said;
    };
    std::string said = std::to_string(all()) + modes();  // root's leave them
    pid_t child = fork();
    if (child == 0) {
      bool good = setgid(1000) == 0 && setuid(1000) == 0 && all();
      _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return said + " " + std::to_string(status) + modes();
  });
}

// tar takes a file without blocks for one hole.
TEST_P(Posix, AFileThatIsStillBeingWrittenHasBlocks) {
  for (const char* name : {"/new", "/log"}) {
    int file = open(at(name).c_str(), O_CREAT | O_WRONLY, 0644);
    struct stat status{};
    EXPECT_EQ(fstat(file, &status), 0);
    EXPECT_EQ(write(file, "text", 4), 4);
    EXPECT_EQ(stat(at(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_size, 4);
    if (GetParam() != Below::passthrough) {
      EXPECT_GT(status.st_blocks, 0) << name;
    }
    EXPECT_EQ(fsync(file), 0);
    EXPECT_EQ(stat(at(name).c_str(), &status), 0);
    EXPECT_GT(status.st_blocks, 0) << name;
    close(file);
  }
}

// Whatever the server does to a file: its time is what was seen of it.
TEST_P(Posix, TimesOfAllocationsAndCopiesOutliveTheMount) {
  write_file(at("/source"), std::string(100000, 's'));
  int source = open(at("/source").c_str(), O_RDONLY);
  for (const char* name : {"/f", "/large", "/d/new"}) {
    int file = open(at(name).c_str(), O_RDWR | O_CREAT, 0644);
    int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(fallocate(file, FALLOC_FL_KEEP_SIZE, 4 << 20, 4096 * (i + 1)), 0);
      EXPECT_EQ(fallocate(file, punch, 4096 * i, 4096), 0);
      off_t from = 0;
      off_t to = 4096 * i;
      EXPECT_EQ(copy_file_range(source, &from, file, &to, 4096, 0), 4096);
    }
    close(file);
  }
  close(source);
  std::string path = at("/sparse");
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(fs::file_size(path))), 0);
  auto before = snapshot(mounted_->path(), true);
  mounted_->remount();
  EXPECT_EQ(differences(snapshot(mounted_->path(), true), before), "");
}

// An attribute that only root may read is not listed for others either.
TEST_P(Posix, OthersAreNotToldOfTrustedAttributes) {
  for (const std::string& root : {mounted_->path(), plain_}) {
    ASSERT_EQ(setxattr((root + "/f").c_str(), "trusted.a", "1", 1, 0), 0) << strerror(errno);
    ASSERT_EQ(setxattr((root + "/f").c_str(), "user.b", "2", 1, 0), 0);
    ASSERT_EQ(chmod(root.c_str(), 0755), 0);
  }
  auto listed = [](const std::string& root, uid_t uid) {
    std::string names(1000, '\0');
    auto out = sys::pipe();
    int directory = open(root.c_str(), O_PATH | O_DIRECTORY);
    pid_t child = fork();
    if (child == 0) {
      bool good = fchdir(directory) == 0 && (uid == 0 || setuid(uid) == 0);
      ssize_t length = good ? listxattr("f", names.data(), names.size()) : -1;
      good &= write(out->write.get(), names.data(), static_cast<size_t>(length)) == length;
      _exit(good ? 0 : 1);
    }
    close(directory);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    ssize_t length = read(out->read.get(), names.data(), names.size());
    names.resize(static_cast<size_t>(std::max<ssize_t>(length, 0)));
    return std::pair(names.contains("trusted.a"), names.contains("user.b"));
  };
  EXPECT_EQ(listed(mounted_->path(), 0), std::pair(true, true));
  EXPECT_EQ(listed(mounted_->path(), 1000), std::pair(false, true));
}

// Where a number is the file's for ever and any directory can be made in a removed one's place.
class UnionPosix : public Semantics {};

TEST_P(UnionPosix, ALinkKeepsItsNumber) {
  fs::create_symlink("f", mounted_->path() + "/made");
  auto number = [&](const char* name) {
    struct stat status{};
    EXPECT_EQ(lstat(at(name).c_str(), &status), 0);
    return status.st_ino;
  };
  ino_t made = number("/made");
  ino_t link = number("/link");
  ASSERT_EQ(lchown(at("/link").c_str(), 3, 3), 0);
  EXPECT_EQ(number("/link"), link);
  mounted_->remount();
  EXPECT_EQ(number("/link"), link);
  EXPECT_EQ(number("/made"), made);
}

// Whoever copies a file of the upper, while nobody mounts it, has copied its attributes, too.
TEST_P(UnionPosix, ACopyWithinTheUpperIsAFileOfItsOwn) {
  std::ofstream(at("/f"), std::ios::app) << "more";
  struct stat original{}, copy{};
  ASSERT_EQ(stat(at("/f").c_str(), &original), 0);
  mounted_->unmount();
  std::string from = mounted_->upper() + "/f";
  std::string to = mounted_->upper() + "/copy";
  fs::copy_file(from, to);
  char mark[100];
  std::string name = marks_prefix() + "lyr_ino";
  ssize_t length = getxattr(from.c_str(), name.c_str(), mark, sizeof mark);
  ASSERT_GT(length, 0);
  ASSERT_EQ(setxattr(to.c_str(), name.c_str(), mark, static_cast<size_t>(length), 0), 0);
  mounted_->remount();
  ASSERT_EQ(stat(at("/copy").c_str(), &copy), 0);
  EXPECT_NE(copy.st_ino, original.st_ino);
  ASSERT_EQ(stat(at("/f").c_str(), &copy), 0);
  EXPECT_EQ(copy.st_ino, original.st_ino);
}

TEST_P(UnionPosix, ADirectoryLivesAsLongAsItIsOpen) {
  for (const std::string& root : {mounted_->path(), plain_}) {
    fs::create_directory(root + "/made");
    fs::remove_all(root + "/d/inner/second");
  }
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/d/inner", "/made"}) {
      int directory = open((root + name).c_str(), O_RDONLY | O_DIRECTORY);
      said += told(rmdir((root + name).c_str()));
      struct stat status{};
      said += told(fstat(directory, &status));
      said += " links " + std::to_string(status.st_nlink);
      struct timespec times[2] = {{1000, 1}, {2000, 2}};
      said += told(fchmod(directory, 0711));
      said += told(fchown(directory, 1, 2));
      said += told(futimens(directory, times));
      said += told(fsetxattr(directory, "user.a", "b", 1, 0));
      said += told(fstat(directory, &status));
      said += " mode " + std::to_string(status.st_mode) + " links " +
              std::to_string(status.st_nlink) + " owner " + std::to_string(status.st_uid) +
              " time " + std::to_string(status.st_mtim.tv_sec);
      char value[8] = {};
      said += told(fgetxattr(directory, "user.a", value, sizeof value));
      said += value;
      said += told(openat(directory, "new", O_CREAT | O_WRONLY, 0644)) + "\n";
      close(directory);
    }
    return said;
  });
}

TEST_P(UnionPosix, NothingIsMadeInARemovedDirectory) {
  int directory = open(at("/d/inner").c_str(), O_RDONLY | O_DIRECTORY);
  fs::remove_all(at("/d/inner"));
  EXPECT_EQ(openat(directory, ".", O_TMPFILE | O_WRONLY, 0600), -1);
  EXPECT_TRUE(errno == EPERM || errno == ENOENT) << strerror(errno);
  close(directory);
}

INSTANTIATE_TEST_SUITE_P(Lower, Posix, testing::ValuesIn(every_mode()), mode_name);
INSTANTIATE_TEST_SUITE_P(Lower, UnionPosix, testing::ValuesIn(every_mode_but({Below::overlayfs})),
                         mode_name);

}  // namespace
}  // namespace lyr::unionfs
