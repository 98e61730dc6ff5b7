// SPDX-License-Identifier: Apache-2.0
// Several clients at once on a server of several threads: whatever came of it, the kernel's
// picture, the server's and the upper's are one, and nobody was told of a file that is not there.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "tests/unionfs/kernel_caches.h"
#include "tests/unionfs/scattered_pages.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

void plant_many(const std::string& root) {
  for (const char* path : {"/a/b/c", "/d/e", "/g"}) fs::create_directories(root + path);
  for (const char* path : {"/f0", "/a/f1", "/a/b/f2", "/d/f0", "/d/e/f1", "/g/f2"})
    std::ofstream(root + path) << std::string(30000, path[1]);
  fs::create_hard_link(root + "/a/f1", root + "/d/h");
  fs::create_hard_link(root + "/a/f1", root + "/a/b/h");
  for (int i = 0; i < 300; ++i) std::ofstream(root + "/g/many" + std::to_string(i)) << i;
}

class Client {
 public:
  Client(std::string root, uint64_t seed) : root_(std::move(root)), random_(seed) {}

  void run(int operations) {
    for (int i = 0; i < operations; ++i) {
      errno = 0;
      if (step() >= 0) {
        ++done;
      } else if (errno == EIO || errno == ESTALE || errno == ENOTCONN || errno == EFAULT) {
        broken = errno;
      }
    }
  }

  int done = 0;
  int broken = 0;  // an errno value that only a fault of the server explains

 private:
  long step() {
    std::string path = pick(), other = pick();
    const char* p = path.c_str();
    switch (random_() % 14) {
      case 0:
        return mkdir(p, 0755);
      case 1:
        return rmdir(p);
      case 2:
        return unlink(p);
      case 3:
      case 4:
        return rename(p, other.c_str());
      case 5:
        return linkat(AT_FDCWD, p, AT_FDCWD, other.c_str(), 0);
      case 6:
        return chmod(p, 0700 + random_() % 64);
      case 7:
        return renameat2(AT_FDCWD, p, AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
      case 8:
        return setxattr(p, "user.color", p, 5, 0);
      case 9:
        return list(p);
      case 10:
        return symlink("f0", p);
      default:
        return content(p);
    }
  }

  long content(const char* path) {
    bool reads = random_() % 3 == 0;
    int flags = reads ? O_RDONLY : random_() % 2 == 0 ? O_RDWR : O_RDWR | O_CREAT;
    if (random_() % 16 == 0) flags |= O_TRUNC;
    int file = open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (file < 0) return -1;
    char text[100] = {};
    auto at = static_cast<off_t>(random_() % 40000);
    long result = reads ? pread(file, text, sizeof text, at) : pwrite(file, text, sizeof text, at);
    if (!reads && result >= 0 && random_() % 8 == 0) result = ftruncate(file, at);
    int error = errno;
    close(file);
    errno = error;
    return result;
  }

  long list(const char* path) {
    DIR* directory = opendir(path);
    if (directory == nullptr) return -1;
    // A name that went and came again may come twice.
    while (struct dirent* entry = readdir(directory)) static_cast<void>(entry);
    closedir(directory);
    return 0;
  }

  std::string pick() {
    static const std::array directories{"", "/a", "/a/b", "/a/b/c", "/d", "/d/e", "/g"};
    static const std::array names{"f0", "f1", "f2", "h", "a", "b", "c", "d", "e", "n"};
    return root_ + directories[random_() % directories.size()] + "/" +
           names[random_() % names.size()];
  }

  std::string root_;
  std::mt19937_64 random_;
};

class Concurrency : public testing::TestWithParam<Below> {
 protected:
  void SetUp() override {
    if (!can_be_had(GetParam())) GTEST_SKIP() << "this kernel has no " << name_of(GetParam());
  }
  Concurrency() : base_(fs::temp_directory_path() / ("lyr-clients." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    plant_many(base_ + "/plain");
  }
  ~Concurrency() override { fs::remove_all(base_); }

  std::string base_;
};

TEST_P(Concurrency, ClientsLeaveOnePicture) {
  UnionMount::Settings settings = settings_for(GetParam());
  settings.threads = 4;
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  auto picture = [&] { return snapshot(mounted.path(), true, links_compared(GetParam())); };
  for (uint64_t round = 0; round < 6; ++round) {
    std::vector<Client> clients;
    for (uint64_t i = 0; i < 4; ++i) clients.emplace_back(mounted.path(), round * 10 + i);
    {
      std::vector<std::jthread> threads;
      for (Client& client : clients) threads.emplace_back([&] { client.run(2500); });
    }
    int done = 0;
    for (const Client& client : clients) {
      done += client.done;
      ASSERT_EQ(client.broken, 0) << strerror(client.broken);
    }
    EXPECT_GT(done, 200);
    auto cached = picture();
    drop_kernel_caches();
    EXPECT_EQ(differences(picture(), cached), "") << "the server differs from the kernel";
    mounted.remount();
    EXPECT_EQ(differences(picture(), cached), "") << "the upper differs from the server";
    if (HasFailure()) return;
  }
}

class ScatteredWrites : public Concurrency {};

// Each page is written back by a request of its own: so many that the server has a second thread
// for them. What is asked meanwhile has its answer, too.
TEST_P(ScatteredWrites, AreAllWrittenBack) {
  UnionMount::Settings settings = settings_for(GetParam());
  settings.adjust = [](Options& options) { options.spare_cpu = true; };
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  ScatteredPages pages(mounted, 20000);
  for (int round = 0; round < 4; ++round) {
    std::jthread looker([&](const std::stop_token& stop) {
      for (int i = 0; round % 2 == 0 && !stop.stop_requested(); ++i) {
        std::string name = mounted.path() + "/g/many" + std::to_string(i % 300);
        struct stat status{};
        EXPECT_EQ(chmod(name.c_str(), 0600 + i % 64), 0);
        EXPECT_EQ(stat(name.c_str(), &status), 0);
        EXPECT_EQ(static_cast<int>(status.st_mode & 07777), 0600 + i % 64);
      }
    });
    pages.write(round);
    EXPECT_EQ(fsync(pages.file()), 0);
  }
  pages.write_until_assisted();
  pages.expect_all_written();
}

// A listing that goes on while names come and go gives each that stays exactly once.
TEST_P(Concurrency, ListingsKeepTheirPlace) {
  UnionMount::Settings settings = settings_for(GetParam());
  settings.threads = 2;
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
  std::string directory = mounted.path() + "/g";
  std::atomic<bool> over = false;
  std::jthread changer([&] {
    for (int i = 0; !over; ++i) {
      std::string name = directory + "/passing" + std::to_string(i % 50);
      std::ofstream{name};
      if (i < 100) fs::remove(directory + "/many" + std::to_string(i * 3));
      fs::remove(directory + "/passing" + std::to_string((i + 25) % 50));
    }
  });
  for (int round = 0; round < 60; ++round) {
    std::multiset<std::string> seen;
    DIR* listing = opendir(directory.c_str());
    ASSERT_NE(listing, nullptr);
    while (struct dirent* entry = readdir(listing)) seen.insert(entry->d_name);
    closedir(listing);
    for (int i = 0; i < 300; ++i) {
      if (i % 3 == 0) continue;
      EXPECT_EQ(seen.count("many" + std::to_string(i)), 1U) << round;
    }
  }
  over = true;
}

INSTANTIATE_TEST_SUITE_P(Lower, Concurrency, testing::ValuesIn(every_mode()), mode_name);
// With overlayfs and with passthrough the kernel writes itself, and rings have a thread each.
INSTANTIATE_TEST_SUITE_P(Lower, ScatteredWrites,
                         testing::ValuesIn(every_mode_but({Below::overlayfs, Below::passthrough,
                                                           Below::io_uring})),
                         mode_name);

}  // namespace
}  // namespace lyr::unionfs
