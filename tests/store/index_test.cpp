// SPDX-License-Identifier: Apache-2.0
// The table of places: how large it is, how it grows beside its other users, and what damage to its
// file can do (to the store: tests/store/damage_test.cpp).
#include "store/index.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <random>
#include <thread>

#include "tests/store/sample_layer.h"
#include "tests/store/traced.h"

namespace lyr::store {
namespace {

class IndexTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-index-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    directory_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  uint64_t file_bytes() {
    return static_cast<uint64_t>(must(sys::stat_at(directory_, "index.tbl")).st_size);
  }
  void write(std::string_view bytes, uint64_t offset) {
    Fd file = must(sys::open_at(directory_, "index.tbl", O_RDWR));
    must(sys::pwrite_all(file, std::as_bytes(std::span(bytes)), offset));
  }

  std::string path_;
  Fd directory_;
};

// As many packs as entries_in_pack makes of them; keys spread as hashes are.
std::vector<IndexEntry> entries_of(uint64_t from, uint64_t count, uint64_t entries_in_pack = 1) {
  std::vector<IndexEntry> entries;
  for (uint64_t i = from; i < from + count; ++i) {
    Place place{.pack = i / entries_in_pack + 1, .offset = (i % (pack_bytes_max / 8 - 8) + 8) * 8};
    entries.push_back({i * 0x9e3779b97f4a7c15u, i, place});
  }
  return entries;
}

bool finds(Index& index, const IndexEntry& entry) {
  ObjectId id{.sha256 = {}, .xxh3_low = entry.xxh3_low, .xxh3_high = entry.xxh3_high};
  bool found = false;
  index.find(id, [&](const Place& place) {
    found = place.pack == entry.place.pack && place.offset == entry.place.offset;
    return found;
  });
  return found;
}

bool finds_all(Index& index, std::span<const IndexEntry> entries) {
  return std::ranges::all_of(entries, [&](const IndexEntry& e) { return finds(index, e); });
}

TEST_F(IndexTest, GrowsAndItsOtherUsersFollow) {
  auto index = must(Index::open(directory_));
  auto other = must(Index::open(directory_));
  auto entries = entries_of(1, 150000, 20);  // more than the first has slots, or room for packs
  for (size_t i = 0; i < entries.size(); i += 30000) {
    must(index->add(std::span(entries).subspan(i, 30000), i + 1));
  }
  EXPECT_EQ(other->sequence(), 120001u);
  EXPECT_TRUE(finds_all(*other, entries));
  EXPECT_FALSE(finds(*other, entries_of(900000, 1)[0]));
}

TEST_F(IndexTest, IsWrittenBySeveralAtOnce) {
  auto entries = entries_of(1, 80000, 100);
  std::vector<pid_t> children;
  for (size_t part = 0; part < 2; ++part) {  // two processes of two threads each
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    auto add_from = [&](size_t from) {
      auto index = must(Index::open(directory_));
      for (size_t i = from; i < from + 20000; i += 100) {
        must(index->add(std::span(entries).subspan(i, 100), 1));
      }
    };
    {
      std::jthread first([&] { add_from(part * 40000); });
      std::jthread second([&] { add_from(part * 40000 + 20000); });
    }
    ::_exit(0);
  }
  auto watcher = must(Index::open(directory_));
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(finds_all(*watcher, entries));
}

TEST_F(IndexTest, IsReadByThreadsOfOneWhileAnotherGrows) {
  auto index = must(Index::open(directory_));
  auto first = entries_of(1, 1000, 10);
  auto more = entries_of(1001, 100000, 10);
  must(index->add(first, 1));
  std::atomic<bool> done = false;
  std::vector<std::jthread> readers;
  std::atomic<size_t> missed = 0;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        if (!finds_all(*index, first)) ++missed;
      }
    });
  }
  for (size_t i = 0; i < more.size(); i += 5000) {
    must(index->add(std::span(more).subspan(i, 5000), 2));
  }
  done = true;
  readers.clear();
  EXPECT_EQ(missed, 0u);
  EXPECT_TRUE(finds_all(*index, more));
}

// The table in use is marked before another takes its place: so its users ask again, until someone
// opens the index who finds that nothing came of it.
TEST_F(IndexTest, AReplacementThatWasKilledIsMadeUpFor) {
  auto entries = entries_of(0, 100);
  auto reading = must(Index::open(directory_));
  must(reading->add(entries, 1));
  auto at_the_rename = [](const TracedCall& call) -> Decision {
    bool here = call.number == SYS_renameat || call.number == SYS_renameat2;
    return {.kind = here ? Decision::Kind::kill : Decision::Kind::let};
  };
  auto replace = [&] { return must(Index::open(directory_))->replace(entries, 2) ? 0 : 1; };
  ASSERT_TRUE(run_traced(replace, {.before = at_the_rename}).killed);
  EXPECT_TRUE(finds_all(*reading, entries));
  EXPECT_NE(reading->epoch(), reading->epoch());

  auto writing = must(Index::open(directory_));
  uint64_t epoch = reading->epoch();
  EXPECT_EQ(reading->epoch(), epoch);
  must(writing->advance_epoch());
  EXPECT_NE(reading->epoch(), epoch);
  must(writing->replace(entries, 2));
  EXPECT_EQ(reading->sequence(), 2u);
  EXPECT_TRUE(finds_all(*reading, entries));
}

// Whoever cannot open the table that took the place of his own does not hear of collections: he
// goes on without remembering anything, and collects nothing.
TEST_F(IndexTest, WithoutTheNewTableNothingIsRemembered) {
  auto entries = entries_of(0, 100);
  auto index = must(Index::open(directory_));
  must(index->add(entries, 1));
  must(must(Index::open(directory_))->replace(entries, 2));
  must(sys::rename_at(directory_, "index.tbl", directory_, "elsewhere"));
  EXPECT_TRUE(finds_all(*index, entries));
  EXPECT_NE(index->epoch(), index->epoch());
  auto advanced = index->advance_epoch();
  ASSERT_FALSE(advanced);
  EXPECT_EQ(advanced.error().code, EUCLEAN);
  must(sys::rename_at(directory_, "elsewhere", directory_, "index.tbl"));
  uint64_t epoch = index->epoch();
  EXPECT_EQ(index->epoch(), epoch);
  must(index->advance_epoch());
  EXPECT_NE(index->epoch(), epoch);
}

// Others have that table mapped, and would not learn of the one in its place.
TEST_F(IndexTest, ATableThatCannotBeOpenedIsNotReplaced) {
  auto entries = entries_of(0, 100);
  auto index = must(Index::open(directory_));
  must(must(Index::open(directory_))->replace(entries, 2));  // the one it has mapped is superseded
  auto refuse = [](const TracedCall& call) -> Decision {
    bool here = call.number == SYS_openat && call.text(call.arguments[1]) == "index.tbl";
    return {.kind = here ? Decision::Kind::refuse : Decision::Kind::let, .code = EMFILE};
  };
  auto replace = [&] {
    auto replaced = index->replace(entries, 3);
    return !replaced && replaced.error().code == EMFILE ? 0 : 1;
  };
  EXPECT_EQ(run_traced(replace, {.before = refuse}).status, 0);
  EXPECT_EQ(must(Index::open(directory_))->sequence(), 2u);
}

TEST_F(IndexTest, HoldsAMillionObjectsInFortyMegabytes) {
  auto entries = entries_of(1, 1000000, 3000);
  auto index = must(Index::open(directory_));
  for (size_t i = 0; i < entries.size(); i += 100000) {
    must(index->add(std::span(entries).subspan(i, 100000), i));
  }
  EXPECT_LE(file_bytes(), 40000000u);
  auto again = must(Index::open(directory_));
  EXPECT_TRUE(finds_all(*again, entries));
  must(again->replace(entries, 7));
  EXPECT_LE(file_bytes(), 40000000u);
  EXPECT_EQ(index->sequence(), 7u);
  EXPECT_TRUE(finds_all(*index, entries));
}

TEST_F(IndexTest, GivesEveryPlaceOfOneKey) {
  auto index = must(Index::open(directory_));
  std::vector<IndexEntry> entries;
  for (uint64_t i = 1; i <= 1000; ++i) entries.push_back({5, 6, {.pack = i, .offset = i * 8}});
  auto others = entries_of(1, 1000);
  must(index->add(entries, 1));
  must(index->add(entries, 1));  // twice is once
  must(index->add(others, 1));
  size_t places = 0;
  index->find({.sha256 = {}, .xxh3_low = 5, .xxh3_high = 6}, [&](const Place&) {
    ++places;
    return false;
  });
  EXPECT_EQ(places, 1000u);
  EXPECT_TRUE(finds_all(*index, entries));
  EXPECT_TRUE(finds_all(*index, others));
}

TEST_F(IndexTest, LeavesOutPlacesThatNoFrameCanHave) {
  auto index = must(Index::open(directory_));
  for (uint64_t offset : {uint64_t{0}, uint64_t{100}, pack_bytes_max, UINT64_MAX - 7}) {
    IndexEntry entry{1, 2, {.pack = 3, .offset = offset}};
    must(index->add(std::span(&entry, 1), 1));
    EXPECT_FALSE(finds(*index, entry)) << offset;
  }
  IndexEntry last{1, 2, {.pack = UINT64_MAX, .offset = pack_bytes_max - 8}};
  must(index->add(std::span(&last, 1), 1));
  EXPECT_TRUE(finds(*index, last));
}

// Nothing but the places it gives may be wrong, and those are checked by who uses them.
TEST_F(IndexTest, ServesOnWhenItsBytesTurnToNoise) {
  auto entries = entries_of(1, 1000);
  for (uint64_t from : {0, 8, 16, 24, 32, 40, 48, 52, 64, 5000, 100000}) {
    static_cast<void>(sys::unlink_at(directory_, "index.tbl"));
    auto index = must(Index::open(directory_));
    must(index->add(entries, 1));
    write(content_of(file_bytes() - from, static_cast<unsigned>(from)),
          from);  // while it is mapped
    for (const IndexEntry& entry : entries) finds(*index, entry);
    auto added = index->add(entries, 2);
    EXPECT_TRUE(added || added.error().code == EUCLEAN);
    auto other = must(Index::open(directory_));  // now it is read from the start
    for (const IndexEntry& entry : entries) finds(*other, entry);
    must(other->replace(entries, 3));
    EXPECT_TRUE(finds_all(*other, entries)) << from;
  }
}

TEST_F(IndexTest, AFileOfAnotherVersionIsMadeAnew) {
  {
    must(Index::open(directory_));
  }
  write("LYRINDX1", 0);
  auto index = must(Index::open(directory_));
  EXPECT_EQ(index->sequence(), 0u);
  auto entries = entries_of(1, 10);
  must(index->add(entries, 1));
  EXPECT_TRUE(finds_all(*index, entries));
}

}  // namespace
}  // namespace lyr::store
