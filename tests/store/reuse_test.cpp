// SPDX-License-Identifier: Apache-2.0
// Which pieces of a large file are taken from where the store has them, and what becomes of those
// that are written again.
#include "store/reuse.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <map>

#include "store/pack.h"
#include "tests/store/sample_layer.h"
#include "tests/store/traced.h"

namespace lyr::store {
namespace {

// Of pieces of 64 KiB, one a letter: x is here; a space ends a file. An answer a piece: R is
// reused.
std::string reused_of(std::string_view text) {
  std::vector<Piece> pieces;
  uint32_t file = 1;
  for (char letter : text) {
    if (letter == ' ') ++file;
    if (letter != ' ') pieces.push_back({.file = file, .bytes = 64 << 10, .here = letter == 'x'});
  }
  choose_reused(pieces);
  std::string answer;
  for (const Piece& piece : pieces) answer += piece.reused ? 'R' : '.';
  return answer;
}

TEST(Reuse, AFewPiecesAreNotWorthASeek) {
  EXPECT_EQ(reused_of(""), "");
  EXPECT_EQ(reused_of("...x...."), "........");
  EXPECT_EQ(reused_of("x......."), "........");
  EXPECT_EQ(reused_of("...xx..."), "........") << "25 %";
}

TEST(Reuse, MoreThanAQuarterIs) {
  EXPECT_EQ(reused_of("x.x.x..."), "R.R.R...");
  EXPECT_EQ(reused_of("x"), "R");
}

TEST(Reuse, ARunIs) {
  EXPECT_EQ(reused_of("...xxx............"), "..................");
  EXPECT_EQ(reused_of("...xxxx.............x.."), "...RRRR................");
}

TEST(Reuse, EachFileIsJudgedByItself) {
  EXPECT_EQ(reused_of("....x x x...."), ".....R.....");
  EXPECT_EQ(reused_of(".......xx xx......."), "..................");
}

// `new_` has 250,000 bytes in the middle that `old_` has, too, among much that it has not.
class GuardTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    std::string content = text_of(3 << 20, 1);
    old_.file("f", content);
    twin_.file("twin", content);
    new_content_ = text_of(1 << 20, 2) + content.substr(1000000, 250000) + text_of(1 << 20, 3);
    new_.file("f", new_content_);
  }
  void load_both() {
    load(old_);
    old_pack_ = names_in("packs").front();
    load(new_);
  }
  static Digest id_of(const SampleLayer& sample) { return image_of({sample.diff_id()}).id; }
  // How many frames are of objects that an earlier one is of.
  size_t copies() {
    std::map<std::pair<uint64_t, uint64_t>, size_t> frames;
    Fd packs = must(sys::open((path() + "/packs").c_str(), O_RDONLY | O_DIRECTORY));
    for (const std::string& name : names_in("packs")) {
      auto bytes = static_cast<uint64_t>(must(sys::stat_at(packs, name.c_str())).st_size);
      auto pack = must(PackReader::open(packs, must(parse_pack_name(name)), bytes));
      for (const PackFooterEntry& entry : must(pack.footer())) {
        ++frames[{entry.xxh3_low, entry.xxh3_high}];
      }
    }
    size_t copies = 0;
    for (const auto& [key, count] : frames) copies += count - 1;
    return copies;
  }
  void check_exact(const SampleLayer& sample) {
    EXPECT_TRUE(tar_of(sample.diff_id()) == sample.tar());
  }
  // How often a store that is opened anew opens the old image's pack while it reads.
  unsigned visits_of_old(const std::function<bool(Store&)>& read) {
    unsigned visits = 0;
    auto before = [&](const TracedCall& call) -> Decision {
      if (call.number == SYS_openat && call.text(call.arguments[1]) == old_pack_) ++visits;
      return {};
    };
    auto body = [&] {
      Store store = must(Store::open(path()));
      return read(store) ? 0 : 1;
    };
    EXPECT_EQ(run_traced(body, {.before = before}).status, 0);
    return visits;
  }

  SampleLayer old_;
  SampleLayer twin_;  // the same content
  SampleLayer new_;
  std::string new_content_;
  std::string old_pack_;
};

TEST_F(GuardTest, WritesAFewPiecesAgain) {
  load_both();
  EXPECT_GT(copies(), 0u);
  EXPECT_LT(copies(), 5u);
  check_exact(old_);
  check_exact(new_);
}

TEST_F(GuardTest, AnImageIsReadFromItsOwnPack) {
  load_both();
  auto by_tar = [&](Store& store) {
    auto ignore = [](std::span<const std::byte>) -> Result<> { return {}; };
    return store.write_layer_tar(new_.diff_id(), ignore).has_value();
  };
  EXPECT_EQ(visits_of_old(by_tar), 0u);
  auto by_file = [&](Store& store) {
    Tree tree = must(store.open_image_tree(image_of({new_.diff_id()}).chain_id));
    std::string content(new_content_.size(), '\0');
    auto bytes = std::as_writable_bytes(std::span(content));
    return store.read_file(tree, resolve(tree, "/f", true), 0, bytes) && content == new_content_;
  };
  EXPECT_EQ(visits_of_old(by_file), 0u);
}

TEST_F(GuardTest, CopiesStayWhileBothAreNeeded) {
  load_both();
  size_t before = copies();
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.dead_objects, 0u);
  EXPECT_EQ(copies(), before);
  must(store().collect({.compress = true}));
  EXPECT_EQ(must(store().collect({})).dead_objects, 0u);
  EXPECT_EQ(copies(), before) << "a compaction keeps their flag";
  check_exact(old_);
  check_exact(new_);
}

// Two imports side by side both bring the file: one pack goes, the other stays as it is.
TEST_F(GuardTest, CopiesStayThoughAllElseWasBroughtTwice) {
  load_unseen({&old_, &twin_});
  load(new_);
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_removed, 1u);
  EXPECT_EQ(report.packs_punched, 0u);
  EXPECT_GT(copies(), 0u);
  for (const SampleLayer* sample : {&old_, &twin_, &new_}) check_exact(*sample);
}

TEST_F(GuardTest, ACopyGoesWithTheImageItWasWrittenFor) {
  load_both();
  must(store().remove_image(id_of(new_)));
  must(store().collect({}));
  EXPECT_EQ(names_in("packs"), std::vector<std::string>{old_pack_});
  check_exact(old_);
  must(store().remove_image(id_of(old_)));
  must(store().collect({}));
  EXPECT_EQ(files(), "");
}

TEST_F(GuardTest, TheFirstCopyGoesWithTheImageItCameWith) {
  load_both();
  must(store().remove_image(id_of(old_)));
  must(store().collect({}));
  EXPECT_EQ(names_in("packs").size(), 1u);
  EXPECT_NE(names_in("packs").front(), old_pack_);
  check_exact(new_);
}

TEST_F(GuardTest, AnotherVersionOfAFileIsSharedAsEver) {
  load_both();
  SampleLayer next;
  std::string content = new_content_;
  content[100000] ^= 1;
  next.file("f", content);
  uint64_t before = pack_bytes();
  load(next);
  EXPECT_LT(pack_bytes() - before, 600000u);
  check_exact(next);
}

}  // namespace
}  // namespace lyr::store
