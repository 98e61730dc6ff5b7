// SPDX-License-Identifier: Apache-2.0
// The server is killed with SIGKILL at any moment, again and again, and who uses the union sees
// nothing of it: no error, no lost write, no name that is not where it was put.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "tests/unionfs/player.h"
#include "tests/unionfs/scattered_pages.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr Patience endless{.deaths = SIZE_MAX};

// Kills the server at random moments, each time when it has answered something since the last.
class Killer {
 public:
  Killer(UnionMount& mounted, uint64_t seed)
      : thread_(
            [this, &mounted, seed](const std::stop_token& stop) { work(mounted, seed, stop); }) {}
  int kills() const { return kills_; }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }

 private:
  static uint64_t answered(const UnionMount& mounted) {
    uint64_t sum = 0;
    for (const auto& count : mounted.counts().by_opcode) sum += count;
    return sum;
  }
  void work(UnionMount& mounted, uint64_t seed, const std::stop_token& stop) {
    std::mt19937_64 random(seed);
    uint64_t next = answered(mounted);
    while (!stop.stop_requested()) {
      if (answered(mounted) < next) {
        std::this_thread::yield();
        continue;
      }
      for (uint64_t spin = random() % 20000; spin > 0; --spin)
        std::atomic_signal_fence(std::memory_order_relaxed);
      mounted.kill_server();
      ++kills_;
      next = answered(mounted) + 1 + random() % 500;
    }
  }

  std::atomic<int> kills_ = 0;
  std::jthread thread_;
};

class Survival : public testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("lyr-survival." + std::to_string(getpid()));
    fs::remove_all(base_);
    plain_ = base_ + "/plain";
    plant(plain_);
    mount({.survives = endless});
  }
  void mount(UnionMount::Settings settings) {
    mounted_.reset();
    fs::remove_all(base_ + "/scratch");
    mounted_.emplace(base_ + "/scratch", plain_, std::move(settings));
  }
  void TearDown() override {
    mounted_.reset();
    fs::remove_all(base_);
  }
  std::string at(const char* path) const { return mounted_->path() + path; }
  std::string difference() const {
    return differences(snapshot(mounted_->path(), false, links_), snapshot(plain_, false, links_));
  }
  void play(uint64_t seed, int operations);

  std::string base_, plain_;
  Links links_ = Links::counted;
  std::optional<UnionMount> mounted_;
};

void Survival::play(uint64_t seed, int operations) {
  SCOPED_TRACE("LYR_SEED=" + std::to_string(seed));
  Player player(mounted_->path(), plain_, seed);
  Killer killer(*mounted_, seed);
  for (int i = 0; i < operations; ++i) {
    std::string left, right;
    std::string what = player.step(left, right);
    ASSERT_EQ(left, right) << "operation " << i << ": " << what << " after " << killer.kills();
    if (i % 500 != 499) continue;
    ASSERT_EQ(difference(), "") << "after operation " << i << ": " << what;
  }
  killer.stop();
  std::printf("%d kills\n", killer.kills());
  EXPECT_GT(killer.kills(), 10);
  player.close_all();
  EXPECT_EQ(difference(), "");
  mounted_->remount();
  EXPECT_EQ(difference(), "");
}

uint64_t any_seed() {
  const char* text = getenv("LYR_SEED");
  uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::printf("LYR_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

TEST_F(Survival, RandomOperations) { play(any_seed(), operations_of_run(10000)); }

TEST_F(Survival, SeveralThreads) {
  mount({.threads = 4, .survives = endless});
  play(any_seed(), operations_of_run(10000) / 2);
}

TEST_F(Survival, Passthrough) {
  UnionMount::Settings settings = settings_for(Below::passthrough);
  settings.survives = endless;
  mount(settings);
  play(any_seed(), operations_of_run(10000) / 2);
}

// With rings none can follow: who asks is told at once, and who waits is, too.
TEST_F(Survival, RingsEndWithTheirServer) {
  if (!can_be_had(Below::io_uring)) GTEST_SKIP() << "this kernel has no io_uring for FUSE";
  UnionMount::Settings settings = settings_for(Below::io_uring);
  settings.survives = endless;
  mount(settings);
  std::atomic<int> told = 0;
  std::jthread asker([&] {
    while (told == 0) {
      if (mkdir(at("/new").c_str(), 0755) == -1) told = errno;
      if (told == 0 && rmdir(at("/new").c_str()) == -1) told = errno;
    }
  });
  while (!fs::exists(at("/new"))) std::this_thread::yield();
  mounted_->kill_server();
  asker.join();
  const std::set<int> ends{ENOTCONN, ECONNABORTED, ECANCELED};
  // EINTR: killed just as the kernel needed a new page of its memory for the request.
  EXPECT_TRUE(ends.contains(told) || told == EINTR) << strerror(told);
  struct stat status{};
  EXPECT_EQ(stat(at("/large").c_str(), &status), -1);
  EXPECT_TRUE(ends.contains(errno)) << strerror(errno);
}

// The kernel's overlayfs over the image, which alone is served then.
TEST_F(Survival, UnderOverlayfs) {
  fs::remove_all(plain_);
  plant(plain_, false);
  links_ = links_compared(Below::overlayfs);
  UnionMount::Settings settings = settings_for(Below::overlayfs);
  settings.survives = endless;
  mount(settings);
  Player player(mounted_->path(), plain_, 11);
  for (int i = 0; i < 300; ++i) {
    if (i % 10 == 0) mounted_->kill_server();
    std::string left, right;
    std::string what = player.step(left, right);
    ASSERT_EQ(left, right) << "operation " << i << ": " << what;
  }
  player.close_all();
  EXPECT_EQ(difference(), "");
}

// Four clients at once, each in a directory of its own.
TEST_F(Survival, SeveralClients) {
  mount({.threads = 4, .survives = endless});
  Killer killer(*mounted_, 7);
  std::vector<std::jthread> clients;
  std::atomic<int> failures = 0;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([this, client, &failures] {
      std::string own = at("/client") + std::to_string(client);
      auto expect = [&](bool is_so) { failures += is_so ? 0 : 1; };
      for (int i = 0; i < 300; ++i) {
        expect(mkdir(own.c_str(), 0755) == 0);
        int file = open((own + "/a").c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
        expect(file >= 0 && write(file, &i, sizeof i) == sizeof i);
        expect(rename((own + "/a").c_str(), (own + "/b").c_str()) == 0);
        expect(link((own + "/b").c_str(), (own + "/c").c_str()) == 0);
        expect(unlink((own + "/b").c_str()) == 0 && unlink((own + "/c").c_str()) == 0);
        int read = -1;
        expect(fsync(file) == 0 && pread(file, &read, sizeof read, 0) == sizeof read && read == i);
        close(file);
        expect(rmdir(own.c_str()) == 0);
      }
    });
  }
  clients.clear();
  killer.stop();
  EXPECT_EQ(failures, 0);
  EXPECT_GT(killer.kills(), 10);
  EXPECT_EQ(difference(), "");
}

// A page each, by so many requests that two threads serve them.
TEST_F(Survival, WritesBackByTwoThreads) {
  UnionMount::Settings settings;
  settings.survives = endless;
  settings.adjust = [](Options& options) { options.spare_cpu = true; };
  mount(settings);
  ScatteredPages pages(*mounted_, 9000);
  Killer killer(*mounted_, 9);
  // A busy machine's kernel writes back by fewer requests, and so there are fewer kills a round.
  constexpr int rounds = 12, rounds_max = 200;
  auto enough = [&](int round) { return round >= rounds && killer.kills() > 10; };
  for (int round = 0; round < rounds_max && !enough(round) && !HasFailure(); ++round) {
    pages.write(round);
    // The first pass sends the file's time while its pages are still being written back.
    EXPECT_EQ(syncfs(pages.file()), 0) << round;
  }
  killer.stop();
  std::printf("%d kills\n", killer.kills());
  EXPECT_GT(killer.kills(), 10);
  pages.write_until_assisted();
  pages.write(1);
  EXPECT_EQ(syncfs(pages.file()), 0);
  pages.expect_all_written();
}

TEST_F(Survival, AsItStarts) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 40; ++round) {
    mounted_->remount();
    for (int kills = 0; kills < 3; ++kills) {
      while (mounted_->server() == 0) std::this_thread::yield();
      for (uint64_t spin = random() % 3'000'000; spin > 0; --spin)
        std::atomic_signal_fence(std::memory_order_relaxed);
      mounted_->kill_server();
    }
    struct stat status{};
    ASSERT_EQ(stat(at("/d0/d1").c_str(), &status), 0) << round;
  }
  EXPECT_EQ(difference(), "");
}

// Whoever waits gets an error then, and does not wait for ever.
TEST_F(Survival, KilledAgainAndAgainItGivesUp) {
  mount({.survives = Patience{.deaths = 3, .within_ms = 1'000'000}});
  struct stat status{};
  ASSERT_EQ(stat(at("/d0/d1").c_str(), &status), 0);  // it serves
  for (int i = 0; i < 3; ++i) {
    pid_t server = mounted_->server();
    mounted_->kill_server();
    while (mounted_->server() == server) std::this_thread::yield();
    ASSERT_EQ(stat((at("/absent") + std::to_string(i)).c_str(), &status), -1);
    ASSERT_EQ(errno, ENOENT);
  }
  mounted_->kill_server();
  EXPECT_EQ(stat(at("/d0/d1/asked").c_str(), &status), -1);
  EXPECT_TRUE(errno == ENOTCONN || errno == ECONNABORTED) << errno;
}

TEST_F(Survival, OpenFilesWithoutNames) {
  int named = open(at("/f10").c_str(), O_RDWR);
  int unnamed = open(at("/d0").c_str(), O_TMPFILE | O_RDWR, 0600);
  int lower = open(at("/f5").c_str(), O_RDONLY);
  ASSERT_TRUE(named >= 0 && unnamed >= 0 && lower >= 0);
  ASSERT_EQ(pwrite(named, "changed", 7, 0), 7);
  ASSERT_EQ(pwrite(unnamed, "temporary", 9, 0), 9);
  ASSERT_EQ(fsync(named) + fsync(unnamed), 0);
  ASSERT_EQ(unlink(at("/f10").c_str()), 0);
  ASSERT_EQ(unlink(at("/f5").c_str()), 0);
  for (int round = 0; round < 3; ++round) {
    mounted_->kill_server();
    char text[16] = {};
    for (int file : {named, unnamed, lower}) {
      ASSERT_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
      struct stat status{};
      ASSERT_EQ(fstat(file, &status), 0);
      EXPECT_EQ(status.st_nlink, 0U);
    }
    EXPECT_EQ(pread(named, text, 7, 0), 7);
    EXPECT_STREQ(text, "changed");
    EXPECT_EQ(pread(unnamed, text, 9, 0), 9);
    EXPECT_STREQ(text, "temporary");
    std::string whole(read_whole(plain_ + "/f5"));
    std::string read(whole.size(), '\0');
    EXPECT_EQ(pread(lower, read.data(), read.size(), 0), static_cast<ssize_t>(read.size()));
    EXPECT_EQ(read, whole);
  }
  std::string link = "/proc/self/fd/" + std::to_string(unnamed);
  EXPECT_EQ(linkat(AT_FDCWD, link.c_str(), AT_FDCWD, at("/named").c_str(), AT_SYMLINK_FOLLOW), 0);
  mounted_->kill_server();
  EXPECT_EQ(read_whole(at("/named")), "temporary");
  for (int file : {named, unnamed, lower}) close(file);
}

TEST_F(Survival, MoreOpenFilesWithoutNamesThanDescriptors) {
  std::vector<int> files;
  for (int i = 0; i < 400; ++i) {
    std::string path = at("/d3/open") + std::to_string(i);
    files.push_back(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0644));
    ASSERT_GE(files.back(), 0);
    ASSERT_EQ(pwrite(files.back(), &i, sizeof i, 0), static_cast<ssize_t>(sizeof i));
    ASSERT_EQ(unlink(path.c_str()), 0);
    if (i % 150 == 0) mounted_->kill_server();
  }
  mounted_->kill_server();
  for (int i = 0; i < 400; ++i) {
    int read = -1;
    ASSERT_EQ(fsync(files[static_cast<size_t>(i)]), 0);
    posix_fadvise(files[static_cast<size_t>(i)], 0, 0, POSIX_FADV_DONTNEED);
    EXPECT_EQ(pread(files[static_cast<size_t>(i)], &read, sizeof read, 0),
              static_cast<ssize_t>(sizeof read));
    EXPECT_EQ(read, i);
    close(files[static_cast<size_t>(i)]);
  }
}

TEST_F(Survival, DirectoriesInUse) {
  ASSERT_EQ(mkdir(at("/many").c_str(), 0755), 0);
  std::set<std::string> names;
  for (int i = 0; i < 2000; ++i) {
    std::string name = "a name that fills a listing " + std::to_string(i);
    int file = open((at("/many/") + name).c_str(), O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(file, 0);
    close(file);
    names.insert(name);
  }
  ASSERT_EQ(mkdir(at("/gone").c_str(), 0755), 0);
  int gone = open(at("/gone").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(rmdir(at("/gone").c_str()), 0);
  DIR* listing = opendir(at("/many").c_str());
  ASSERT_NE(listing, nullptr);
  std::set<std::string> listed;
  for (int i = 0; struct dirent* entry = readdir(listing); ++i) {
    if (i % 300 == 0) mounted_->kill_server();
    if (entry->d_name[0] == '.') continue;
    EXPECT_TRUE(listed.insert(entry->d_name).second) << entry->d_name;
  }
  closedir(listing);
  EXPECT_EQ(listed, names);
  struct stat status{};
  EXPECT_EQ(fstat(gone, &status), 0);
  EXPECT_EQ(openat(gone, "new", O_CREAT | O_WRONLY, 0644), -1);
  EXPECT_EQ(errno, ENOENT);
  close(gone);
}

TEST_F(Survival, MappedFiles) {
  int file = open(at("/large").c_str(), O_RDWR);
  struct stat before{};
  ASSERT_EQ(fstat(file, &before), 0);
  void* memory = mmap(nullptr, 700000, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* bytes = static_cast<char*>(memory);
  std::string expected = read_whole(plain_ + "/large");
  for (size_t i = 0; i < 20; ++i) {
    mounted_->kill_server();
    bytes[i * 35000] = expected[i * 35000] = static_cast<char>('A' + i);
    ASSERT_EQ(i % 4 == 0 ? msync(memory, 700000, MS_SYNC) : 0, 0);
  }
  ASSERT_EQ(msync(memory, 700000, MS_SYNC), 0);
  munmap(memory, 700000);
  struct stat after{};
  ASSERT_EQ(fstat(file, &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  close(file);
  mounted_->remount();
  EXPECT_EQ(read_whole(at("/large")), expected);
}

}  // namespace
}  // namespace lyr::unionfs
