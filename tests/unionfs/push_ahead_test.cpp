// SPDX-License-Identifier: Apache-2.0
// Files that are pushed before they are asked for: in which order, how many, and with what content.
#include "unionfs/push_ahead.h"

#include <fcntl.h>
#include <ftw.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/unionfs/player.h"
#include "tests/unionfs/snapshot.h"
#include "tests/unionfs/union_mount.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

constexpr int planted_directories = 40;
constexpr int files_each = 25;

// Directories within others; files between them, empty ones, large ones, and names of others.
void plant_many_files(const std::string& root) {
  fs::create_directories(root);
  for (int d = 0; d < planted_directories; ++d) {
    std::string directory = root + "/" + std::to_string(d % 4) + "/" + std::to_string(d);
    fs::create_directories(directory + "/inner");
    for (int i = 0; i < files_each; ++i) {
      std::string path = directory + (i % 5 == 0 ? "/inner/" : "/") + std::to_string(i);
      write_file(path, pattern(static_cast<uint64_t>(d * files_each + i), 200 + 700 * (i % 20)));
    }
    write_file(directory + "/empty", "");
    if (d > 0) fs::create_hard_link(root + "/0/0/1", directory + "/linked");
  }
  write_file(root + "/3/large", pattern(7, 600'000));
}

std::vector<std::string> found;
// Regular files that are not empty, as a walk of `root` finds them.
std::vector<std::string> walk(const std::string& root) {
  found.clear();
  auto take = [](const char* path, const struct stat* status, int, struct FTW*) {
    if (S_ISREG(status->st_mode) && status->st_size > 0) found.emplace_back(path);
    return 0;
  };
  EXPECT_EQ(nftw(root.c_str(), take, 16, FTW_PHYS), 0);
  return found;
}

// A file's pages, which the kernel may not let go of: some hosts page out what was not used for a
// second, however much memory is free.
class KeptPages {
 public:
  explicit KeptPages(const std::string& path) : bytes_(fs::file_size(path)) {
    int file = open(path.c_str(), O_RDONLY);
    CHECK(file >= 0);
    // Not by mlock(3): the sanitizers have it do nothing.
    start_ = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED | MAP_LOCKED, file, 0);
    CHECK(start_ != MAP_FAILED);
    close(file);
  }
  KeptPages(KeptPages&& other) noexcept
      : bytes_(other.bytes_), start_(std::exchange(other.start_, nullptr)) {}
  KeptPages& operator=(KeptPages&&) = delete;
  ~KeptPages() {
    if (start_ != nullptr) munmap(start_, bytes_);
  }
  std::string_view content() const { return {static_cast<const char*>(start_), bytes_}; }

 private:
  size_t bytes_;
  void* start_ = nullptr;
};

class PushAheadTest : public testing::Test {
 protected:
  PushAheadTest() : base_(fs::temp_directory_path() / ("lyr-push." + std::to_string(getpid()))) {
    fs::remove_all(base_);
    plant_many_files(base_ + "/plain");
    UnionMount::Settings settings;
    settings.hybrid = true;
    mounted_.emplace(base_ + "/scratch", base_ + "/plain", settings);
    store_ = store::Store::open(mounted_->store_path()).value();
    tree_ = store_->open_image_tree(mounted_->chain_id()).value();
  }
  ~PushAheadTest() override {
    mounted_.reset();
    fs::remove_all(base_);
  }

  std::vector<Ino> inos(const std::vector<std::string>& paths, const std::string& root) {
    std::vector<Ino> inos;
    for (const auto& path : paths) inos.push_back(resolve(*tree_, path.substr(root.size()), false));
    return inos;
  }
  // How many of them are asked for by who is as quick to push as they are read.
  size_t asked_of(const std::vector<Ino>& inos, bool known = true) {
    ScanOrder order(*tree_);
    Expectation expectation(order, *tree_);
    std::vector<bool> cached(tree_->inode_count() + 1, false);
    size_t asked = 0;
    for (Ino ino : inos) {
      if (cached[ino]) continue;
      cached[ino] = true;
      ++asked;
      if (!expectation.asked(ino)) expectation.begin(ino);
      while (const auto* next = expectation.next()) {
        Ino pushed = next->ino;
        EXPECT_LE(next->bytes, Expectation::file_bytes_max);
        if (known) cached[pushed] = true;
        expectation.pushed(pushed, known);
      }
    }
    return asked;
  }

  std::string base_;
  std::optional<UnionMount> mounted_;
  std::optional<store::Store> store_;
  std::optional<store::Tree> tree_;
};

TEST_F(PushAheadTest, TheOrderIsThatOfAWalk) {
  std::string root = mounted_->served();
  auto expected = inos(walk(root), root);
  ASSERT_GT(expected.size(), planted_directories * files_each);
  ScanOrder order(*tree_);
  ScanOrder::Cursor cursor = order.at(tree_->entry(root_ino, 0).ino);
  std::vector<Ino> scanned;
  // The first entry is a directory: from before it, not after.
  cursor = {root_ino, UINT32_MAX};
  for (Ino ino = order.next_file(cursor); ino != no_ino; ino = order.next_file(cursor))
    scanned.push_back(ino);
  EXPECT_EQ(scanned, expected);
  for (Ino ino = root_ino + 1; ino <= tree_->inode_count(); ++ino) {
    auto at = order.at(ino);
    EXPECT_EQ(tree_->entry(at.directory, at.index).ino, ino);
  }
}

TEST_F(PushAheadTest, WhoReadsAllAsksForFew) {
  std::string root = mounted_->served();
  auto all = inos(walk(root), root);
  EXPECT_LE(asked_of(all), 12);
  EXPECT_GE(asked_of(all, false), all.size() - planted_directories) << "nothing was pushed";
}

TEST_F(PushAheadTest, WhoReadsHereAndThereGetsNoMore) {
  std::string root = mounted_->served();
  auto all = inos(walk(root), root);
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  std::ranges::shuffle(all, std::mt19937(1));
  size_t asked = asked_of(all);
  EXPECT_GE(asked, all.size() * 9 / 10);
}

TEST_F(PushAheadTest, ContentIsTheFiles) {
  std::string root = mounted_->path();
  auto pushes = [&] { return mounted_->counts().pushes.load(); };
  auto reads = [&] { return mounted_->counts().by_opcode[FUSE_READ].load(); };
  uint64_t read = 0;
  std::vector<KeptPages> kept;
  // Until something was pushed: when the pushing thread has begun is its own affair.
  for (int round = 0; pushes() == 0; ++round) {
    ASSERT_LT(round, 10'000);
    kept.clear();
    mounted_->remount();
    read = reads();
    for (const auto& path : walk(root)) {
      kept.emplace_back(path);
      ASSERT_EQ(kept.back().content(), read_whole(base_ + "/plain" + path.substr(root.size())))
          << path;
    }
  }
  std::printf("%d pushes, %d reads\n", static_cast<int>(pushes()),
              static_cast<int>(reads() - read));
  // What was pushed is cached as what was read is.
  read = reads();
  auto before = snapshot(root, false);
  EXPECT_EQ(reads(), read);
  EXPECT_EQ(differences(before, snapshot(base_ + "/plain", false)), "");
}

}  // namespace
}  // namespace lyr::unionfs
