// SPDX-License-Identifier: Apache-2.0
// Copies of whole files share blocks with those that were made before, and with nothing else. Where
// blocks cannot be shared, nothing is tried twice. (tests/on_file_system runs these on XFS, on
// btrfs, and on file systems that cannot.)
#include "store/hot_files.h"

#include <sys/syscall.h>

#include "store/stats.h"
#include "tests/store/killed_at.h"
#include "tests/store/reflinks.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

constexpr uint64_t mib = 1 << 20;
constexpr uint64_t slack_bytes = 256 << 10;  // what a file system needs for its own

class HotFilesTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    uppers_ = path() + "-uppers";
    must(sys::mkdir_at(sys::cwd(), uppers_.c_str(), 0700));
    holes_ = content_of(mib, 1) + std::string(mib, '\0') + content_of(mib + 5, 2);
    layer_.file("holes", holes_);
    for (unsigned i = 0; i < 3; ++i)
      layer_.file(std::string(1, 'a' + i), content_of(2 * mib, 3 + i));
    layer_.file("zeros", std::string(mib, '\0'));
    layer_.file("small", content_of(mib - 1, 9));
    load(layer_);
    tree_.emplace(must(store().open_image_tree(image_of({layer_.diff_id()}).chain_id)));
  }
  void TearDown() override {
    tree_.reset();
    must(sys::remove_all_at(sys::cwd(), uppers_.c_str()));
    StoreTest::TearDown();
  }

  Ino ino(const char* name) { return resolve(*tree_, name, false); }
  std::string upper(const std::string& name) const { return uppers_ + "/" + name; }
  Fd make(const std::string& name) {
    return must(sys::open(upper(name).c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
  }
  // As the first copy-up does: from the packs.
  Fd copy(const char* file, const std::string& to) {
    Fd made = make(to);
    std::vector<std::byte> content(tree_->attr(ino(file)).size);
    must(store().read_file(*tree_, ino(file), 0, content));
    for (uint64_t at = 0; at < content.size(); at += mib) {
      auto piece = std::span(content).subspan(at, std::min(mib, content.size() - at));
      bool hole = std::ranges::all_of(piece, [](std::byte byte) { return byte == std::byte{0}; });
      if (!hole) must(sys::pwrite_all(made, piece, at));
    }
    return made;
  }
  void keep(const char* file, const std::string& to) {
    Fd made = copy(file, to);
    store().keep_file(*tree_, ino(file), made);
  }
  // As the next one does: whether there was something to share.
  bool clone(const char* file, const std::string& to) {
    Fd made = make(to);
    bool cloned = store().clone_file(*tree_, ino(file), made);
    EXPECT_TRUE(cloned || must(sys::stat(made)).st_size == 0);
    return cloned;
  }
  std::string text(const std::string& path) {
    return must(sys::read_file_at(sys::cwd(), path.c_str()));
  }
  std::vector<std::string> hot() {
    bool there = must(sys::exists_at(sys::cwd(), (path() + "/hot").c_str()));
    return there ? names_in("hot") : std::vector<std::string>();
  }
  std::string hot(const char* file) { return path() + "/hot/" + hot_name(*tree_, ino(file)).hex(); }
  uint64_t free_bytes() {
    Fd directory = must(sys::open(path().c_str(), O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(::syncfs(directory.get()), 0);
    auto status = must(sys::stat_vfs(directory));
    return uint64_t{status.f_bfree} * status.f_frsize;
  }

  std::string uppers_, holes_;
  SampleLayer layer_;
  std::optional<Tree> tree_;
};

class HotFilesShared : public HotFilesTest {
 protected:
  void SetUp() override {
    HotFilesTest::SetUp();
    if (!has_reflinks(path())) GTEST_SKIP() << "no blocks can be shared here, but on XFS and btrfs";
    EXPECT_FALSE(clone("holes", "first"));
    keep("holes", "first");
    ASSERT_EQ(hot().size(), 1u);
  }
};

TEST_F(HotFilesShared, CopiesShareAllBlocks) {
  uint64_t before = free_bytes();
  for (const char* name : {"second", "third"}) {
    ASSERT_TRUE(clone("holes", name));
    EXPECT_EQ(text(upper(name)), holes_);
    BlockShares shares = block_shares(upper(name));
    EXPECT_EQ(shares.own, 0u);
    EXPECT_GE(shares.shared, 2 * mib);
    EXPECT_LE(shares.shared, 2 * mib + slack_bytes) << "the hole is one";
  }
  EXPECT_EQ(block_shares(upper("first")).own, 0u);
  EXPECT_LT(before - std::min(before, free_bytes()), slack_bytes);
}

TEST_F(HotFilesShared, WhatIsWrittenReachesNobodyElse) {
  ASSERT_TRUE(clone("holes", "second"));
  ASSERT_TRUE(clone("holes", "third"));
  for (const char* name : {"first", "second"}) {
    Fd file = must(sys::open(upper(name).c_str(), O_RDWR));
    must(sys::pwrite_all(file, std::as_bytes(std::span(std::string_view("changed"))), mib / 2));
    must(sys::fsync(file));
  }
  EXPECT_NE(text(upper("first")), holes_);
  EXPECT_EQ(text(upper("third")), holes_);
  EXPECT_EQ(text(hot("holes")), holes_);
  BlockShares shares = block_shares(upper("second"));
  EXPECT_GT(shares.own, 0u);
  EXPECT_LE(shares.own, slack_bytes);
}

TEST_F(HotFilesShared, AnotherStoreOfTheProcessUsesThemToo) {
  reopen();
  EXPECT_TRUE(clone("holes", "second"));
  EXPECT_EQ(text(upper("second")), holes_);
}

TEST_F(HotFilesShared, WhatWasChangedIsNotUsed) {
  std::string file = hot("holes");
  auto chmod_own = [&] { must(sys::chmod_at(sys::cwd(), file.c_str(), 0600)); };
  const std::function<void()> changes[] = {
      [&] { flip(file, mib / 3); },
      [&] { must(sys::truncate(must(sys::open(file.c_str(), O_RDWR)), 2 * mib)); },
      [&] { must(sys::chmod_at(sys::cwd(), file.c_str(), 0666)); },
      [&] {
        must(sys::unlink_at(sys::cwd(), file.c_str()));
        must(sys::mknod_at(sys::cwd(), file.c_str(), S_IFIFO | 0600, 0));
      },
      [&] {
        must(sys::rename_at(sys::cwd(), file.c_str(), sys::cwd(), upper("moved").c_str()));
        must(sys::symlink_at(upper("moved").c_str(), sys::cwd(), file.c_str()));
      }};
  for (const auto& change : changes) {
    chmod_own();
    change();
    EXPECT_FALSE(clone("holes", "second"));
    must(sys::unlink_at(sys::cwd(), upper("second").c_str()));
    static_cast<void>(sys::unlink_at(sys::cwd(), file.c_str()));  // a symlink is only left alone
    keep("holes", "first");
    EXPECT_TRUE(clone("holes", "second"));
    EXPECT_EQ(text(upper("second")), holes_);
  }
}

TEST_F(HotFilesShared, AScrubFindsWhatNoTimeTells) {
  keep("a", "a");
  ScrubReport report = must(store().scrub({}));
  EXPECT_EQ(report.hot_files, 2u);
  EXPECT_EQ(report.hot_files_removed, 0u);
  auto status = must(sys::stat_at(sys::cwd(), hot("holes").c_str()));
  must(sys::chmod_at(sys::cwd(), hot("holes").c_str(), 0600));
  flip(hot("holes"), mib + mib / 2);  // in the hole
  struct timespec times[2] = {status.st_atim, status.st_mtim};
  must(sys::utimens_at(sys::cwd(), hot("holes").c_str(), times));
  report = must(store().scrub({}));
  EXPECT_TRUE(report.damage.empty());
  EXPECT_EQ(report.hot_files, 2u);
  EXPECT_EQ(report.hot_files_removed, 1u);
  EXPECT_FALSE(clone("holes", "second"));
  EXPECT_TRUE(clone("a", "b"));
}

TEST_F(HotFilesShared, SmallFilesAreCopied) {
  keep("small", "small");
  EXPECT_EQ(hot().size(), 1u);
  EXPECT_FALSE(clone("small", "second"));
}

TEST_F(HotFilesShared, TheLongestUnusedGoFirst) {
  Fd directory = must(sys::open(path().c_str(), O_RDONLY | O_DIRECTORY));
  HotFiles files(directory, {.bytes_max = 5 * mib});
  auto used = [&](const char* file, time_t when) {
    struct timespec times[2] = {{.tv_sec = when, .tv_nsec = 0}, {0, UTIME_OMIT}};
    must(sys::utimens_at(sys::cwd(), hot(file).c_str(), times));
  };
  auto keep_in = [&](const char* file) {
    Fd to = make("to");
    EXPECT_FALSE(files.clone_to(*tree_, ino(file), to));
    files.keep(*tree_, ino(file), copy(file, "copy"));
  };
  store().collect({.hot_files = true}).value();
  keep_in("a");
  keep_in("b");
  used("a", 2'000'000'000);
  used("b", 1'900'000'000);
  Fd to = make("to");
  EXPECT_TRUE(files.clone_to(*tree_, ino("a"), to));  // used now, which is before either
  keep_in("c");
  EXPECT_EQ(hot().size(), 2u);
  EXPECT_FALSE(must(sys::exists_at(sys::cwd(), hot("a").c_str())));
  used("b", 1'000'000'000);
  used("c", 1'000'000'000);
  // One that would be all there may be, and one that would be more.
  HotFiles fewer(directory, {.bytes_max = 2 * mib});
  EXPECT_FALSE(fewer.clone_to(*tree_, ino("a"), make("to")));
  fewer.keep(*tree_, ino("a"), copy("a", "copy"));
  EXPECT_EQ(hot(), std::vector{hot_name(*tree_, ino("a")).hex()});
  HotFiles none(directory, {.bytes_max = 2 * mib - 1});
  EXPECT_FALSE(none.clone_to(*tree_, ino("b"), make("to")));
  none.keep(*tree_, ino("b"), copy("b", "copy"));
  EXPECT_EQ(hot().size(), 1u);
  // The disk is nearly full.
  HotFiles share(directory, {.free_divisor = free_bytes() / mib});
  EXPECT_FALSE(share.clone_to(*tree_, ino("b"), make("to")));
  share.keep(*tree_, ino("b"), copy("b", "copy"));
  EXPECT_EQ(hot().size(), 1u);
}

TEST_F(HotFilesShared, ACollectionRemovesWhatNoImageHas) {
  SampleLayer other;
  other.file("same", content_of(2 * mib, 3));  // as a
  load(other);
  keep("a", "a");
  ASSERT_EQ(hot().size(), 2u);
  EXPECT_EQ(must(store().collect({})).hot_files_removed, 0u);
  must(store().remove_image(image_of({layer_.diff_id()}).id));
  CollectReport told = must(store().collect({.dry_run = true}));
  EXPECT_EQ(told.hot_files_removed, 1u);
  EXPECT_EQ(hot().size(), 2u);
  EXPECT_EQ(must(store().collect({})).hot_files_removed, 1u);
  EXPECT_EQ(hot(), std::vector{hot_name(*tree_, ino("a")).hex()});
}

TEST_F(HotFilesShared, TheyCountAsUsedAndAsReclaimable) {
  keep("a", "a");
  StoreStats stats = must(store().stats());
  EXPECT_EQ(stats.hot_files, 2u);
  EXPECT_GE(stats.hot_file_bytes, 4 * mib);
  Digest image = image_of({layer_.diff_id()}).id;
  StoreUsage usage = must(store().usage({&image, 1}));
  EXPECT_EQ(usage.reclaimable_bytes, stats.hot_file_bytes);
  CollectReport told = must(store().collect({.dry_run = true, .hot_files = true}));
  EXPECT_EQ(told.bytes_before - told.bytes_after, stats.hot_file_bytes);
  CollectReport report = must(store().collect({.hot_files = true}));
  EXPECT_EQ(report.hot_files_removed, 2u);
  EXPECT_EQ(report.bytes_after, told.bytes_after);
  EXPECT_TRUE(hot().empty());
  EXPECT_TRUE(must(store().scrub({})).damage.empty());
  EXPECT_FALSE(clone("a", "second"));
}

// Copies come and go while others share with them.
TEST_F(HotFilesShared, ManyProcessesAtOnce) {
  auto work = [&](const std::string& to) {
    Fd directory = must(sys::open(path().c_str(), O_RDONLY | O_DIRECTORY));
    HotFiles files(directory, {.bytes_max = 5 * mib});
    int cloned = 0;
    for (unsigned turn = 0; turn < 40; ++turn) {
      unsigned which = (turn + turn / 7) % 3;
      std::string file(1, static_cast<char>('a' + which));
      Fd made = make(to);
      if (files.clone_to(*tree_, ino(file.c_str()), made)) {
        ++cloned;
        if (text(upper(to)) != content_of(2 * mib, 3 + which)) return 1;
      } else {
        files.keep(*tree_, ino(file.c_str()), copy(file.c_str(), to));
      }
    }
    return cloned > 0 ? 0 : 2;
  };
  std::vector<sys::Child> children;
  for (const char* to : {"p", "q", "r"}) {
    children.push_back(must(sys::spawn([&, to] { return work(to); })));
  }
  for (sys::Child& child : children) {
    auto ending = must(sys::wait_pidfd(child.pidfd));
    EXPECT_TRUE(ending && !ending->signaled && ending->value == 0);
  }
  EXPECT_LE(hot().size(), 2u);
  EXPECT_EQ(must(store().scrub({})).hot_files_removed, 0u);
}

TEST_F(HotFilesShared, KilledAtAnyCallItIsWholeOrNotThere) {
  int made = 0;
  for (int point = 0;; ++point) {
    must(store().collect({.hot_files = true}));
    bool killed = killed_at(point, [&] {
      clone("a", "none");
      keep("a", "first");
      return 0;
    });
    if (!killed) break;
    made += static_cast<int>(hot().size());
    bool there = clone("a", "second");
    EXPECT_EQ(there, !hot().empty());
    EXPECT_TRUE(!there || text(upper("second")) == content_of(2 * mib, 3));
    EXPECT_EQ(must(store().scrub({})).hot_files_removed, 0u);
  }
  EXPECT_EQ(made, 0) << "its name is the last that it gets";
}

TEST_F(HotFilesShared, WhatFailsIsNotMissed) {
  for (int code : {ENOSPC, EIO}) {
    bool failed = true;
    for (int point = 0; failed && !HasFailure(); ++point) {
      must(store().collect({.hot_files = true}));
      reopen();
      Fd whole = copy("a", "first");
      Fd to = make("none");
      failed = false;
      int left = point;
      auto before = [&](const TracedCall& call) -> Decision {
        bool counts =
            call.number == SYS_ioctl || call.number == SYS_openat || changes_something(call);
        if (!counts || left-- != 0) return {};
        failed = true;
        return {Decision::Kind::refuse, code};
      };
      auto body = [&] {
        if (!store().clone_file(*tree_, ino("a"), to)) store().keep_file(*tree_, ino("a"), whole);
        return 0;
      };
      Traced traced = run_traced(body, {.before = before});
      EXPECT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0);
      EXPECT_EQ(text(upper("first")), content_of(2 * mib, 3));
      bool there = clone("a", "second");
      EXPECT_EQ(there, !hot().empty());
      EXPECT_TRUE(!there || text(upper("second")) == content_of(2 * mib, 3));
    }
    EXPECT_EQ(hot().size(), 1u);
  }
}

// docs/formats.md has this one.
TEST_F(HotFilesTest, NamesAreDigestsOfSizeAndExtents) {
  EXPECT_EQ(hot_name(*tree_, ino("zeros")).hex(),
            "35c6d6e5b93657e4a741a1cec71c21813fe05aab219909ebbb0f62fb0ae648dc");
}

// A file that cannot be shared costs one question for the life of a process.
TEST_F(HotFilesTest, WhereNothingCanBeSharedOneQuestionIsAsked) {
  if (has_reflinks(path())) return;
  EXPECT_FALSE(clone("a", "first"));
  int calls = 0;
  auto body = [&] {
    Fd to = must(sys::open(upper("first").c_str(), O_RDWR));
    for (const char* file : {"a", "b", "holes"}) {
      if (store().clone_file(*tree_, ino(file), to)) return 1;
      store().keep_file(*tree_, ino(file), to);
    }
    return 0;
  };
  auto count = [&](const TracedCall&) -> Decision {
    ++calls;
    return {};
  };
  Traced traced = run_traced(body, {.before = count});
  EXPECT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0);
  EXPECT_LE(calls, 2) << "it opens the file, and no more";
  EXPECT_TRUE(hot().empty());
}

}  // namespace
}  // namespace lyr::store
