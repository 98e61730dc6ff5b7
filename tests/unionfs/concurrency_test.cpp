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
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/unionfs/kernel_caches.h"
#include "tests/unionfs/scattered_pages.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"
#include "unionfs/node.h"
#include "unionfs/union.h"

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

class Concurrency : public testing::Test {
 protected:
  Concurrency() : base_(fs::temp_directory_path() / ("lyr-clients." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    plant_many(base_ + "/plain");
  }
  ~Concurrency() override { fs::remove_all(base_); }

  std::unique_ptr<Union> without_kernel(UnionMount& mounted, Ledger* ledger = nullptr);
  void play_clients(Below below);

  std::string base_;
  std::optional<store::Store> store_;  // of without_kernel
  std::optional<store::Tree> tree_;
};

// A union of that one's image, whose requests the test makes itself.
std::unique_ptr<Union> Concurrency::without_kernel(UnionMount& mounted, Ledger* ledger) {
  auto store = store::Store::open(mounted.store_path());
  if (!store) return nullptr;
  auto tree = store->open_image_tree(mounted.chain_id());
  if (!tree) return nullptr;
  store_ = std::move(*store);
  tree_ = std::move(*tree);
  Options options;
  options.lower = lower_from_tree(*store_, *tree_);
  for (auto [directory, fd] : {std::pair{"/u", &options.upper}, {"/w", &options.work}}) {
    fs::create_directory(base_ + directory);
    auto opened = sys::open((base_ + directory).c_str(), O_RDONLY | O_DIRECTORY);
    if (!opened) return nullptr;
    *fd = std::move(*opened);
  }
  options.trusted_xattrs = true;
  options.ledger = ledger;
  auto instance = Union::open(std::move(options));
  return instance ? std::move(*instance) : nullptr;
}

// The kernel sends the times of a file that it writes back without the file's lock: they may come
// after those of a later truncation.
TEST_F(Concurrency, TimesThatComeLateDoNotCoverLaterOnes) {
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
  auto instance = without_kernel(mounted);
  ASSERT_TRUE(instance);
  auto file = instance->lookup(root_id, "f0");
  ASSERT_TRUE(file && *file);
  auto change = [&](time_t modified, time_t changed, std::optional<uint64_t> size) {
    AttributeChange wanted;
    wanted.mtime = {modified, 7};
    wanted.changed_at = {changed, 7};
    wanted.size = size;
    auto found = instance->setattr((*file)->node, wanted);
    EXPECT_TRUE(found);
    return found ? found->attr.st_mtim.tv_sec : 0;
  };
  EXPECT_EQ(change(1000, 1000, {}), 1000) << "written back";
  EXPECT_EQ(change(1005, 1005, 3), 1005) << "truncated";
  EXPECT_EQ(change(1004, 1004, {}), 1005) << "written back before, but it comes after";
  EXPECT_EQ(change(500, 1005, {}), 500) << "set by somebody, at the same moment";
  EXPECT_EQ(change(1006, 1006, {}), 1006);
  EXPECT_EQ(change(1003, 1003, 4), 1003) << "a truncation comes in its turn";
  EXPECT_EQ(change(900, 900, {}), 900) << "the clock was put back";
}

// Of what the kernel writes back by several requests at once: it says itself when it was written.
TEST_F(Concurrency, WritesAtOnceKeepTheTimeThatIsSet) {
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
  auto instance = without_kernel(mounted);
  ASSERT_TRUE(instance);
  auto file = instance->lookup(root_id, "f0");
  ASSERT_TRUE(file && *file);
  uint64_t node = (*file)->node;
  std::vector<std::byte> piece(4096, std::byte{1});
  auto write = [&](uint64_t first) {
    for (uint64_t i = 0; i < 2000; ++i) {
      uint64_t offset = (first + 2 * (i % 50)) * piece.size();
      EXPECT_TRUE(instance->write(node, offset, piece, {.keep_time = true}));
    }
  };
  auto modified = [&] {
    auto found = instance->getattr(node);
    return found ? found->attr.st_mtim.tv_sec : 0;
  };
  for (time_t round = 1; round <= 5; ++round) {
    AttributeChange wanted;
    wanted.mtime = {1000 * round, 7};
    ASSERT_TRUE(instance->setattr(node, wanted));
    std::jthread even([&] { write(0); });
    std::jthread odd([&] { write(1); });
    for (time_t i = 1; i <= 100; ++i) {
      wanted.mtime = {1000 * round + i, 7};
      auto set = instance->setattr(node, wanted);
      ASSERT_TRUE(set);
      EXPECT_EQ(set->attr.st_mtim.tv_sec, 1000 * round + i);
    }
    even.join();
    odd.join();
    EXPECT_EQ(modified(), 1000 * round + 100);
    write(0);
    EXPECT_EQ(modified(), 1000 * round + 100) << "one at a time";
  }
}

// One thread was writing a file back, another one was moving it, when the server was killed.
TEST_F(Concurrency, TimesOfAKilledServerArePutBackByTheNamesThatAreLeft) {
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
  auto ledger = Ledger::make();
  ASSERT_TRUE(ledger);
  auto killed = sys::spawn([&] {
    auto instance = without_kernel(mounted, &*ledger);
    CHECK(instance);
    auto made = instance->mknod(root_id, "n", S_IFREG | 0644, 0, {});
    CHECK(made);
    current_request.thread = 0;
    static_cast<void>(new KeptTime(&*ledger, made->node, {12345, 6}));
    current_request.thread = 1;
    static_cast<void>(new Doing(&*ledger, Intent::Deed::rename,
                                {.node = made->node,
                                 .parent = root_id,
                                 .name = "n",
                                 .new_parent = root_id,
                                 .new_name = "m"}));
    CHECK(rename((base_ + "/u/n").c_str(), (base_ + "/u/m").c_str()) == 0);
    static_cast<void>(instance.release());
    return 0;
  });
  ASSERT_TRUE(killed);
  auto ending = sys::wait_pidfd(killed->pidfd);
  ASSERT_TRUE(ending && *ending && (*ending)->shell_code() == 0);
  ledger->mark_resumed();
  auto next = without_kernel(mounted, &*ledger);
  ASSERT_TRUE(next);
  struct stat status{};
  ASSERT_EQ(stat((base_ + "/u/m").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 12345);
  EXPECT_EQ(status.st_mtim.tv_nsec, 6);
}

TEST(KeptTime, ChangesForAllWhoKeepIt) {
  auto ledger = Ledger::make();
  ASSERT_TRUE(ledger);
  std::vector<std::unique_ptr<KeptTime>> kept;
  for (uint32_t thread = 0; thread < 3; ++thread) {
    current_request.thread = thread;
    kept.push_back(std::make_unique<KeptTime>(&*ledger, thread < 2 ? 5 : 6, timespec{100, 1}));
  }
  KeptTime::change(&*ledger, 5, {200, 2});
  for (uint32_t thread = 0; thread < 3; ++thread) {
    const Timing& timing = ledger->slots()[thread].timing;
    EXPECT_EQ(timing.node, thread < 2 ? 5U : 6U);
    EXPECT_EQ(timing.seconds, thread < 2 ? 200 : 100);
    EXPECT_EQ(timing.nanoseconds, thread < 2 ? 2 : 1);
    current_request.thread = thread;
    kept[thread].reset();
    EXPECT_EQ(timing.node, 0U);
  }
  current_request.thread = 0;
}

// An answer with a directory's attributes may reach the kernel after it has heard of a change
// there.
TEST_F(Concurrency, AttributesToldToOneThreadAreDoubtedWhenAnotherChangesThem) {
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {});
  auto instance = without_kernel(mounted);
  ASSERT_TRUE(instance);
  using Doubted = std::vector<uint64_t>;
  auto tell = [&](uint32_t thread) {
    Union::ask_for(thread);
    EXPECT_TRUE(instance->getattr(root_id));
  };
  static_cast<void>(Union::take_doubted());  // by tests before this one
  auto change = [&](uint32_t thread, const char* name) {
    Union::ask_for(thread);
    EXPECT_TRUE(instance->mkdir(root_id, name, 0755, {}));
    return Union::take_doubted();
  };
  tell(1);
  EXPECT_EQ(change(1, "n1"), Doubted()) << "its own answer came before it asked for more";
  tell(1);
  EXPECT_EQ(change(2, "n2"), Doubted{root_id});
  EXPECT_EQ(change(2, "n3"), Doubted()) << "nobody was told since";
  tell(1);
  tell(2);
  EXPECT_EQ(change(2, "n4"), Doubted{root_id}) << "the answer to 1 counts, too";
  tell(0);
  EXPECT_EQ(change(0, "n5"), Doubted{root_id}) << "two without a number may be two";
  tell(0);
  EXPECT_EQ(change(1, "n6"), Doubted{root_id});
  tell(1);
  EXPECT_EQ(change(0, "n7"), Doubted{root_id});
  tell(1);
  Union::ask_for(2);
  EXPECT_TRUE(instance->rmdir(root_id, "n1"));
  EXPECT_EQ(Union::take_doubted(), Doubted{root_id});
}

void Concurrency::play_clients(Below below) {
  if (!can_be_had(below)) GTEST_SKIP() << "this kernel has no " << name_of(below);
  UnionMount::Settings settings = settings_for(below);
  settings.threads = 4;
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", settings);
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
    auto cached = snapshot(mounted.path(), true);
    drop_kernel_caches();
    EXPECT_EQ(differences(snapshot(mounted.path(), true), cached), "")
        << "the server differs from the kernel";
    mounted.remount();
    EXPECT_EQ(differences(snapshot(mounted.path(), true), cached), "")
        << "the upper differs from the server";
    if (HasFailure()) return;
  }
}

TEST_F(Concurrency, ClientsLeaveOnePicture) { play_clients(Below::tree); }
TEST_F(Concurrency, ClientsLeaveOnePictureWithPassthrough) { play_clients(Below::passthrough); }
TEST_F(Concurrency, ClientsLeaveOnePictureByRings) { play_clients(Below::io_uring); }

// Each page is written back by a request of its own: so many that the server has a second thread
// for them. What is asked meanwhile has its answer, too.
TEST_F(Concurrency, ScatteredPagesAreAllWrittenBack) {
  UnionMount::Settings settings;
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
TEST_F(Concurrency, ListingsKeepTheirPlace) {
  UnionMount mounted(base_ + "/scratch", base_ + "/plain", {.threads = 2});
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

}  // namespace
}  // namespace lyr::unionfs
