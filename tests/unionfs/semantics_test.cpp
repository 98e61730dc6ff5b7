// SPDX-License-Identifier: Apache-2.0
// What programs rely on and random operations do not reach: mounts side by side, several processes
// on one file, mappings, holes, sockets. Where a plain directory can do the same, the two are
// compared.
#include "tests/unionfs/semantics.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/sys_event.h"
#include "base/sys_process.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

TEST_P(Semantics, ContainersOfOneImageDoNotSeeEachOther) {
  UnionMount other(base_ + "/other", *mounted_);
  auto before = snapshot(other.path(), true);
  std::ofstream(at("/f"), std::ios::app) << "changed";
  fs::remove(at("/d/name"));
  fs::rename(at("/d"), at("/moved"));
  fs::create_directory(at("/d"));
  write_file(at("/new"), "new");
  ASSERT_EQ(chmod(at("/large").c_str(), 0600), 0);
  EXPECT_EQ(differences(snapshot(other.path(), true), before), "");
  write_file(other.path() + "/new", "another");
  EXPECT_EQ(read_whole(at("/new")), "new");
  other.remount();
  fs::remove(other.path() + "/new");
  EXPECT_EQ(differences(snapshot(other.path(), false), snapshot(plain_, false)), "");
}

TEST_P(Semantics, ManyOpenFilesOutliveTheirNames) {
  constexpr int count = 400;  // more than the server keeps descriptors of
  compare([](const std::string& root) {
    std::string said;
    std::vector<int> files;
    for (int i = 0; i < count; ++i) {
      std::string path = root + "/d/open" + std::to_string(i);
      files.push_back(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644));
      EXPECT_GE(files.back(), 0);
      EXPECT_EQ(write(files.back(), path.data() + path.size() - 5, 5), 5);
      said += told(unlink(path.c_str()));
    }
    for (int file : files) {
      char text[8] = {};
      said += told(pwrite(file, "new", 3, 3));
      said += told(pread(file, text, sizeof text, 0));
      said += std::string(text, 6);
      said += told(ftruncate(file, 2));
      said += told(fchmod(file, 0600));
      struct stat status{};
      said += told(fstat(file, &status));
      said += " links " + std::to_string(status.st_nlink);
      said += " size " + std::to_string(status.st_size) + "\n";
      close(file);
    }
    return said;
  });
}

// How many bytes a process has written, to whatever it may be.
uint64_t bytes_written(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/io");
  std::string word;
  uint64_t bytes = 0;
  while (in >> word) {
    if (word == "wchar:") in >> bytes;
  }
  return bytes;
}

TEST_P(Semantics, RemovingCopiesNothing) {
  uint64_t before = bytes_written(mounted_->server());
  for (const char* name : {"/large", "/sparse", "/f"}) ASSERT_EQ(unlink(at(name).c_str()), 0);
  EXPECT_LT(bytes_written(mounted_->server()) - before, 20000);  // replies
}

TEST_P(Semantics, SharedMappingsAndFilesAreOne) {
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/f", "/large"}) {
      int first = open((root + name).c_str(), O_RDWR), second = open((root + name).c_str(), O_RDWR);
      auto map = [](int file) {
        void* memory = mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        EXPECT_NE(memory, MAP_FAILED);
        return static_cast<char*>(memory);
      };
      char *one = map(first), *two = map(second);
      one[5000] = 'X';
      said += two[5000];
      EXPECT_EQ(pwrite(second, "written", 7, 9000), 7);
      said += std::string(one + 9000, 7);
      std::memcpy(two + 4090, "across pages", 12);
      char text[12];
      EXPECT_EQ(pread(first, text, 12, 4090), 12);
      said += std::string(text, 12);
      munmap(one, 16384);
      close(first);
      two[16000] = 'Y';  // after the other has closed
      munmap(two, 16384);
      close(second);
    }
    return said;
  });
}

TEST_P(Semantics, AppendersLoseNothing) {
  constexpr int lines = 2000;
  for (char writer : {'a', 'b', 'c'}) {
    if (fork() != 0) continue;
    int file = open(at("/log").c_str(), O_WRONLY | O_APPEND);
    std::string line = std::string(37, writer) + "\n";
    bool good = file >= 0;
    for (int i = 0; i < lines; ++i) good &= write(file, line.data(), line.size()) == 38;
    _exit(good ? 0 : 1);
  }
  for (int i = 0; i < 3; ++i) {
    int status = 0;
    ASSERT_GT(wait(&status), 0);
    EXPECT_EQ(status, 0);
  }
  mounted_->remount();
  std::ifstream log(at("/log"));
  std::map<std::string, int> seen;
  for (std::string line; std::getline(log, line);) ++seen[line];
  std::map<std::string, int> whole;
  for (char writer : {'a', 'b', 'c'}) whole[std::string(37, writer)] = lines;
  EXPECT_EQ(seen, whole);
}

// Over copy-up, and by another server for the same upper. Overlayfs keeps those of files for what
// is not copied up.
TEST_P(Semantics, InodeNumbersStay) {
  auto numbers = [&](bool of_files = true) {
    std::string said;
    std::set<dev_t> devices;
    for (const auto& entry : fs::recursive_directory_iterator(mounted_->path())) {
      struct stat status{};
      EXPECT_EQ(lstat(entry.path().c_str(), &status), 0) << entry.path() << strerror(errno);
      devices.insert(status.st_dev);
      bool kept = of_files || S_ISDIR(status.st_mode) || entry.path().filename() == "sparse";
      said += entry.path().filename().string() + " ";
      said += (kept ? std::to_string(status.st_ino) : "") + "\n";
    }
    EXPECT_EQ(devices.size(), 1u);
    return said;
  };
  std::string before = numbers();
  std::ofstream(at("/f"), std::ios::app) << "more";
  ASSERT_EQ(chmod(at("/d").c_str(), 0700), 0);
  EXPECT_EQ(numbers(), before);
  // Overlayfs finds no originals that another mount knew.
  bool for_ever = GetParam() != Below::overlayfs;
  before = numbers(for_ever);
  mounted_->remount();
  EXPECT_EQ(numbers(for_ever), before) << "after a new mount";
  std::ofstream(at("/large"), std::ios::app) << "more";
  EXPECT_EQ(numbers(for_ever), before) << "after a change";
}

// Where the union does better than overlayfs: without an index, that copies a file up under the
// name that was written to alone; and it copies no range from one of its file systems to the other.
class UnionSemantics : public Semantics {};

TEST_P(Semantics, HolesAreFoundAndKept) {
  auto holes = [](const std::string& path) {
    int file = open(path.c_str(), O_RDONLY);
    std::string said;
    off_t end = lseek(file, 0, SEEK_END);
    int found = 0;
    for (off_t at = 0; at < end;) {
      off_t data = lseek(file, at, SEEK_DATA);
      if (data < 0) data = end;
      std::string between(static_cast<size_t>(data - at), 'x');
      EXPECT_EQ(pread(file, between.data(), between.size(), at), data - at);
      EXPECT_EQ(between.find_first_not_of('\0'), std::string::npos) << "data in a hole at " << at;
      found += data > at ? 1 : 0;
      at = data < end ? lseek(file, data, SEEK_HOLE) : end;
    }
    EXPECT_EQ(lseek(file, end, SEEK_DATA), -1);
    EXPECT_EQ(errno, ENXIO);
    close(file);
    return found;
  };
  EXPECT_EQ(holes(at("/sparse")), 1);
  std::ofstream(at("/sparse"), std::ios::app) << "copied up";
  EXPECT_EQ(holes(at("/sparse")), 1);
  struct stat status{};
  ASSERT_EQ(stat(at("/sparse").c_str(), &status), 0);
  // Overlayfs looks for holes in steps of 1 MiB, and XFS adds room to grow.
  struct statfs host{};
  ASSERT_EQ(statfs(plain_.c_str(), &host), 0);
  EXPECT_LT(status.st_blocks * 512, host.f_type == XFS_SUPER_MAGIC ? 3 << 20 : 2 << 20);
  EXPECT_EQ(read_whole(at("/sparse")), read_whole(plain_ + "/sparse") + "copied up");
}

// `cp` asks for the data of a file that takes less room than its size says, as one does whose bytes
// the kernel still holds.
TEST_P(Semantics, BytesNotYetWrittenBackAreData) {
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/new", "/f"}) {
      int file = open((root + name).c_str(), O_RDWR | O_CREAT, 0600);
      std::string text(50000, 'n');
      EXPECT_EQ(pwrite(file, text.data(), text.size(), 600000), 50000);
      for (int whence : {SEEK_DATA, SEEK_HOLE}) {
        for (off_t from : {0, 300000, 620000, 649999, 650000, 700000})
          said += told(lseek(file, from, whence)) + " ";
        text.assign(4096, 'm');
        EXPECT_EQ(pwrite(file, text.data(), text.size(), 688128), 4096);
      }
      close(file);
    }
    return said;
  });
}

TEST_P(Semantics, ManyMaySeekAtOnce) {
  auto cpus = sys::cpus_allowed();
  ASSERT_TRUE(cpus);
  const int first = cpus->front();
  std::vector<pid_t> seekers;
  for (int i = 0; i < 8; ++i) {
    pid_t seeker = fork();
    if (seeker != 0) {
      seekers.push_back(seeker);
      continue;
    }
    int file = open(at("/large").c_str(), O_RDWR);
    const int cpu = first;  // all of them: by io_uring each has a queue
    bool good = file >= 0 && sys::allow_cpus(std::span(&cpu, 1)).has_value();
    for (int round = 0; round < 200; ++round) {
      off_t end = (3 << 20) + 4096 * (1 + i * 200 + round);
      good &= pwrite(file, "x", 1, end - 1) == 1;
      off_t data = lseek(file, end - 1, SEEK_DATA);
      good &= data == end - 1;
      good &= lseek(file, 0, SEEK_HOLE) >= 3 << 20;
    }
    _exit(good ? 0 : 1);
  }
  for (pid_t seeker : seekers) {
    int status = 0;
    ASSERT_EQ(waitpid(seeker, &status, 0), seeker);
    EXPECT_EQ(status, 0);
  }
}

TEST_P(UnionSemantics, CopyFileRange) {
  compare([](const std::string& root) {
    std::string said;
    auto copy = [&](const char* from, off_t in, const char* to, off_t out, size_t length) {
      int source = open((root + from).c_str(), O_RDONLY);
      int target = open((root + to).c_str(), O_WRONLY | O_CREAT, 0644);
      ssize_t total = 0, done = 0;
      while (length > 0 && (done = copy_file_range(source, &in, target, &out, length, 0)) > 0) {
        total += done;
        length -= static_cast<size_t>(done);
      }
      said += told(done < 0 ? done : total) + "\n";
      close(source);
      close(target);
    };
    copy("/large", 0, "/copy", 0, 3 << 20);
    copy("/large", 1000001, "/f", 777, 1500000);
    copy("/f", 0, "/f", 500, 1000);       // overlapping itself
    copy("/f", 0, "/f", 1 << 20, 10000);  // in itself, apart
    copy("/large", 3 << 20, "/copy", 0, 10);
    copy("/copy", 5, "/large", 3 << 20, 1 << 20);
    return said;
  });
}

TEST_P(Semantics, Fallocate) {
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/f", "/large"}) {
      int file = open((root + name).c_str(), O_RDWR);
      int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      said += told(fallocate(file, punch, 100, 9000));
      said += told(fallocate(file, FALLOC_FL_ZERO_RANGE, 12000, 5000));
      said += told(fallocate(file, FALLOC_FL_KEEP_SIZE, 1 << 20, 100));
      said += told(fallocate(file, 0, 10 << 20, 100));
      struct stat status{};
      said += told(fstat(file, &status));
      said += " size " + std::to_string(status.st_size) + "\n";
      close(file);
    }
    return said;
  });
}

TEST_P(Semantics, PipesAndSocketsMeetInTheTree) {
  ASSERT_EQ(mkfifo(at("/d/pipe").c_str(), 0600), 0);
  int reader = open(at("/d/pipe").c_str(), O_RDONLY | O_NONBLOCK);
  fs::rename(at("/d/pipe"), at("/moved_pipe"));
  int writer = open(at("/moved_pipe").c_str(), O_WRONLY | O_NONBLOCK);
  ASSERT_GE(writer, 0);
  ASSERT_EQ(write(writer, "through", 7), 7);
  char text[8] = {};
  EXPECT_EQ(read(reader, text, sizeof text), 7);
  EXPECT_STREQ(text, "through");
  close(reader);
  close(writer);

  struct sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string short_path = "/proc/self/cwd/socket";
  short_path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(chdir(mounted_->path().c_str()), 0);
  int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  auto* generic = reinterpret_cast<struct sockaddr*>(&address);
  EXPECT_EQ(bind(server, generic, sizeof address), 0);
  EXPECT_EQ(listen(server, 1), 0);
  EXPECT_EQ(connect(client, generic, sizeof address), 0);
  struct stat status{};
  EXPECT_EQ(stat("socket", &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  close(client);
  close(server);
  EXPECT_EQ(connect(socket(AF_UNIX, SOCK_STREAM, 0), generic, sizeof address), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(chdir("/"), 0);
}

// Names of a file in a directory that was moved, and that nobody has looked up there.
TEST_P(UnionSemantics, HardLinksSurviveTheMoveOfTheirDirectory) {
  compare([](const std::string& root) {
    fs::rename(root + "/d/inner", root + "/inner");
    fs::rename(root + "/d", root + "/inner/d");
    std::ofstream(root + "/third", std::ios::app) << " changed by its third name";
    struct stat status{};
    std::string said = told(stat((root + "/third").c_str(), &status));
    return said + std::to_string(status.st_nlink);
  });
}

TEST_P(UnionSemantics, HardLinksSurviveTheMoveOfTheirDirectoryAndANewMount) {
  for (const std::string& root : {mounted_->path(), plain_}) {
    fs::create_directories(root + "/a/b");
    fs::rename(root + "/d/inner", root + "/a/b/inner");
    fs::rename(root + "/d", root + "/a/d");
    fs::rename(root + "/a", root + "/z");
  }
  mounted_->remount();
  compare([](const std::string& root) {
    std::ofstream(root + "/third", std::ios::app) << " changed by its third name";
    return read_whole(root + "/z/b/inner/second") + read_whole(root + "/z/d/name");
  });
}

// A file's time is when it was written to, not when the kernel sent that on.
TEST_P(Semantics, ModificationTimesOutliveTheMount) {
  auto tick = [] {
    struct timespec time{};
    clock_gettime(CLOCK_REALTIME_COARSE, &time);
    return time.tv_nsec;
  };
  constexpr int files = 20;
  auto name = [&](int i) { return at(("/d/new" + std::to_string(i)).c_str()); };
  for (int i = 0; i < files; ++i) {
    int file = open(name(i).c_str(), O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(write(file, "text", 4), 4);
    for (auto first = tick(); tick() == first;) {
    }
    close(file);
  }
  std::ofstream(at("/f"), std::ios::app) << "more";
  auto before = snapshot(mounted_->path(), true);
  if (!in_user_namespace()) {
    mounted_->remount();
    EXPECT_EQ(differences(snapshot(mounted_->path(), true), before), "");
    return;
  }
  // What a sync of somebody else's came upon before it was closed has the time of that sync here,
  // by a clock of its own, which ticks each 10 ms at the most.
  auto content = snapshot(mounted_->path(), false);
  std::vector<fs::file_time_type> times;
  for (int i = 0; i < files; ++i) times.push_back(fs::last_write_time(name(i)));
  mounted_->remount();
  int exact = 0;
  for (int i = 0; i < files; ++i) {
    auto later = fs::last_write_time(name(i)) - times[static_cast<size_t>(i)];
    exact += later.count() == 0 ? 1 : 0;
    EXPECT_GT(later, -std::chrono::milliseconds(20)) << i;
    EXPECT_LT(later, std::chrono::minutes(1)) << i;
  }
  EXPECT_GE(exact, files / 2);
  EXPECT_EQ(differences(snapshot(mounted_->path(), false), content), "");
}

// As it does with what it has held for some seconds, as the host's root.
TEST_P(Semantics, WhatTheKernelWritesBackByItselfIsNoOlderThanItsBytes) {
  for (const char* name : {"/f", "/new"}) {
    int file = open(at(name).c_str(), O_RDWR | O_CREAT, 0644);
    struct timespec old[2] = {{1000, 1}, {2000, 2}};
    ASSERT_EQ(futimens(file, old), 0);
    struct timespec before{};
    clock_gettime(CLOCK_REALTIME_COARSE, &before);
    ASSERT_EQ(pwrite(file, "text", 4, 0), 4);
    ASSERT_EQ(syncfs(file), 0);
    close(file);
    mounted_->remount();
    struct stat status{};
    ASSERT_EQ(stat(at(name).c_str(), &status), 0);
    EXPECT_GE(status.st_mtim.tv_sec, before.tv_sec) << name;
    EXPECT_LE(status.st_mtim.tv_sec, before.tv_sec + 60) << name;
    EXPECT_EQ(read_whole(at(name)).substr(0, 4), "text");
  }
}

// Copying up is no change that anybody made: of the directory, least of all.
TEST_P(Semantics, CopyUpLeavesTheDirectorysTimes) {
  auto times = [&] {
    std::string said;
    for (const char* path : {"", "/d", "/d/inner"}) {
      struct stat status{};
      EXPECT_EQ(stat(at(path).c_str(), &status), 0);
      said += std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) +
              " ";
    }
    return said;
  };
  std::string before = times();
  ASSERT_EQ(chmod(at("/d/name").c_str(), 0600), 0);
  ASSERT_EQ(chmod(at("/f").c_str(), 0600), 0);
  mounted_->remount();
  EXPECT_EQ(times(), before);
}

TEST_P(Semantics, OpenFilesOutliveTheirNamesOneByOne) {
  constexpr int count = 300;  // more than the server keeps descriptors of
  auto first = [](int i) { return "/d/first" + std::to_string(i); };
  auto second = [](int i) { return "/d/inner/other" + std::to_string(i); };
  for (const std::string& root : {mounted_->path(), plain_}) {
    for (int i = 0; i < count; ++i) {
      write_file(root + first(i), first(i));
      fs::create_hard_link(root + first(i), root + second(i));
    }
  }
  mounted_->remount();  // now nobody knows that there are two names
  compare([&](const std::string& root) {
    std::string said;
    std::vector<int> files;
    auto links = [&] {
      struct stat status{};
      fstat(files.back(), &status);
      said += " links " + std::to_string(status.st_nlink);
    };
    for (int i = 0; i < count; ++i) {
      files.push_back(open((root + first(i)).c_str(), O_RDWR));
      said += told(unlink((root + first(i)).c_str()));
      links();
      said += told(rename((root + second(i)).c_str(), (root + first(i)).c_str()));
      said += told(unlink((root + first(i)).c_str()));
      links();
    }
    for (int file : files) {
      char text[32] = {};
      said += told(pread(file, text, sizeof text, 0));
      said += text;
      close(file);
    }
    return said;
  });
}

INSTANTIATE_TEST_SUITE_P(Lower, Semantics, testing::ValuesIn(every_mode()), mode_name);
INSTANTIATE_TEST_SUITE_P(Lower, UnionSemantics,
                         testing::ValuesIn(every_mode_but({Below::overlayfs})), mode_name);

}  // namespace
}  // namespace lyr::unionfs
