// SPDX-License-Identifier: Apache-2.0
// A union whose requests the test makes itself: in an order, or at a moment, that is hard to have
// of a kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"
#include "unionfs/node.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

class WithoutKernel : public testing::Test {
 protected:
  WithoutKernel()
      : base_(fs::temp_directory_path() / ("lyr-requests." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    fs::create_directories(base_ + "/plain");
    write_file(base_ + "/plain/f", std::string(30000, 'f'));
    image_.emplace(base_ + "/scratch", base_ + "/plain");
  }
  ~WithoutKernel() override {
    image_.reset();
    fs::remove_all(base_);
  }

  // A union of that file, over the upper of the one before.
  std::unique_ptr<Union> open(Ledger* ledger = nullptr);
  static uint64_t file_of(Union& instance) {
    auto file = instance.lookup(root_id, "f");
    CHECK(file && *file);
    return (*file)->node;
  }

  std::string base_;
  std::optional<UnionMount> image_;  // the mount is for its store alone
  std::optional<store::Store> store_;
  std::optional<store::Tree> tree_;
};

std::unique_ptr<Union> WithoutKernel::open(Ledger* ledger) {
  auto store = store::Store::open(image_->store_path());
  CHECK(store);
  auto tree = store->open_image_tree(image_->chain_id());
  CHECK(tree);
  store_ = std::move(*store);
  tree_ = std::move(*tree);
  Options options;
  options.lower = lower_from_tree(*store_, *tree_);
  for (auto [directory, fd] : {std::pair{"/u", &options.upper}, {"/w", &options.work}}) {
    fs::create_directory(base_ + directory);
    auto opened = sys::open((base_ + directory).c_str(), O_RDONLY | O_DIRECTORY);
    CHECK(opened);
    *fd = std::move(*opened);
  }
  options.trusted_xattrs = true;
  options.ledger = ledger;
  auto instance = Union::open(std::move(options));
  CHECK(instance);
  return std::move(*instance);
}

// The kernel sends the times of a file that it writes back without the file's lock: they may come
// after those of a later truncation.
TEST_F(WithoutKernel, TimesThatComeLateDoNotCoverLaterOnes) {
  auto instance = open();
  uint64_t node = file_of(*instance);
  auto change = [&](time_t modified, time_t changed, std::optional<uint64_t> size) {
    AttributeChange wanted;
    wanted.mtime = {modified, 7};
    wanted.changed_at = {changed, 7};
    wanted.size = size;
    auto found = instance->setattr(node, wanted);
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
TEST_F(WithoutKernel, WritesAtOnceKeepTheTimeThatIsSet) {
  auto instance = open();
  uint64_t node = file_of(*instance);
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
TEST_F(WithoutKernel, TimesOfAKilledServerArePutBackByTheNamesThatAreLeft) {
  auto ledger = Ledger::make();
  ASSERT_TRUE(ledger);
  auto killed = sys::spawn([&] {
    auto instance = open(&*ledger);
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
  auto next = open(&*ledger);
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
TEST_F(WithoutKernel, AttributesToldToOneThreadAreDoubtedWhenAnotherChangesThem) {
  auto instance = open();
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

}  // namespace
}  // namespace lyr::unionfs
