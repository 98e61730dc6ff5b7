// SPDX-License-Identifier: Apache-2.0
// Collections: what nobody needs goes and gives its space back, what anybody needs stays, whoever
// is killed, whatever is full, and whatever else runs.
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "store/catalog.h"
#include "store/pack.h"
#include "tests/store/killed_at.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

// A file that others with `shared` have, too, and a larger one of its own.
SampleLayer sharing(unsigned shared, unsigned own) {
  SampleLayer sample;
  sample.file("shared", content_of(900000, shared));
  sample.file("own", content_of(3 << 20, own));
  return sample;
}

class CollectTest : public StoreTest {
 protected:
  // Images of one layer each, that come in one import and so share a pack.
  void load_together(const std::vector<const SampleLayer*>& samples) {
    Import import = must(store().begin_import());
    std::vector<ImageRecord> images;
    for (const SampleLayer* sample : samples) {
      LayerImport layer = must(import.begin_layer());
      sample->feed(layer);
      must(layer.finish(sample->record()));
      images.push_back(image_of({sample->diff_id()}));
    }
    must(import.commit(images, {}));
  }
  // The file /shared, read at once.
  std::string shared_of(const SampleLayer& sample) {
    Tree tree = must(store().open_image_tree(image_of({sample.diff_id()}).chain_id));
    Ino ino = resolve(tree, "/shared", true);
    std::string content(tree.attr(ino).size, '\0');
    auto bytes = std::as_writable_bytes(std::span(content));
    content.resize(must(store().read_file(tree, ino, 0, bytes)));
    return content;
  }
  uint64_t pack_blocks() {
    uint64_t blocks = 0;
    for (const std::string& name : names_in("packs")) {
      auto status = must(sys::stat_at(sys::cwd(), (path() + "/packs/" + name).c_str()));
      blocks += static_cast<uint64_t>(status.st_blocks);
    }
    return blocks * 512;
  }
};

TEST_F(CollectTest, APackThatNobodyNeedsGoes) {
  SampleLayer sample;
  sample.file("f", content_of(300000, 1));
  load(sample);
  must(store().remove_image(image_of({sample.diff_id()}).id));
  EXPECT_EQ(names_in("packs").size(), 1u);
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_removed, 1u);
  EXPECT_GT(report.dead_objects, 1u);
  EXPECT_GE(report.bytes_before - report.bytes_after, 300000u);
  EXPECT_EQ(files(), "");
  report = must(store().collect({}));
  EXPECT_EQ(report.dead_objects, 0u);
  EXPECT_EQ(report.bytes_before, report.bytes_after);
}

TEST_F(CollectTest, ADryRunTellsAndTouchesNothing) {
  SampleLayer sample;
  sample.file("f", content_of(300000, 1));
  load(sample);
  must(store().remove_image(image_of({sample.diff_id()}).id));
  std::string before = files();
  CollectReport told = must(store().collect({.dry_run = true}));
  EXPECT_EQ(files(), before);
  EXPECT_EQ(told.packs_removed, 1u);
  CollectReport done = must(store().collect({}));
  EXPECT_EQ(told.dead_objects, done.dead_objects);
  EXPECT_EQ(told.dead_bytes, done.dead_bytes);
  EXPECT_LE(told.bytes_after + 300000, told.bytes_before);
  EXPECT_GE(told.bytes_after, done.bytes_after);  // recipes and trees go, too
}

TEST_F(CollectTest, AMostlyNeededPackIsPunchedInPlace) {
  SampleLayer kept;
  kept.file("kept", content_of(3 << 20, 1));
  SampleLayer gone;
  gone.file("gone", content_of(1 << 20, 2));
  load_together({&kept, &gone});
  uint64_t before = pack_blocks();
  std::string files_before = files();
  must(store().remove_image(image_of({gone.diff_id()}).id));
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_punched, 1u);
  EXPECT_LE(pack_blocks() + (1 << 20), before + (64 << 10));
  EXPECT_EQ(names_in("packs").size(), 1u);
  EXPECT_EQ(tar_of(kept.diff_id()), kept.tar());
  // What was punched out is not believed to be here still, by this store or the next.
  load(gone);
  EXPECT_EQ(tar_of(gone.diff_id()), gone.tar());
  reopen();
  EXPECT_EQ(tar_of(gone.diff_id()), gone.tar());
  EXPECT_EQ(tar_of(kept.diff_id()), kept.tar());
  report = must(store().collect({}));
  EXPECT_EQ(report.dead_objects, 0u);
  EXPECT_EQ(report.packs_punched, 0u);
}

TEST_F(CollectTest, ASparsePackIsWrittenAnew) {
  SampleLayer kept;
  SampleLayer gone;
  for (unsigned i = 0; i < 400; ++i) {
    // Small files in turn: hardly a block is dead as a whole.
    kept.file("kept" + std::to_string(i), content_of(700, i));
    gone.file("gone" + std::to_string(i), content_of(3000, 1000 + i));
  }
  SampleLayer mixed;
  for (unsigned i = 0; i < 400; ++i) {
    mixed.file("kept" + std::to_string(i), content_of(700, i));
    mixed.file("gone" + std::to_string(i), content_of(3000, 1000 + i));
  }
  load(mixed);
  load(kept);
  uint64_t before = pack_blocks();
  unload(mixed);
  EXPECT_LT(pack_blocks(), before / 3);
  EXPECT_EQ(tar_of(kept.diff_id()), kept.tar());
  reopen();
  EXPECT_EQ(tar_of(kept.diff_id()), kept.tar());
  CollectReport again = must(store().collect({}));
  EXPECT_EQ(again.packs_rewritten, 0u);
}

TEST_F(CollectTest, WhatAnImportBuildsOnIsLeftAlone) {
  SampleLayer base;
  base.file("shared", content_of(500000, 1));
  load(base);
  SampleLayer next;
  next.file("same", content_of(500000, 1));
  next.file("more", content_of(1000, 2));
  {
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    next.feed(layer);
    must(layer.finish(next.record()));
    must(store().remove_image(image_of({base.diff_id()}).id));
    CollectReport report = must(store().collect({}));
    EXPECT_EQ(report.packs_busy, 1u);
    EXPECT_EQ(report.packs_removed, 0u);
    ImageRecord image = image_of({next.diff_id()});
    must(import.commit(std::span(&image, 1), {}));
  }
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_removed, 0u);
  EXPECT_EQ(tar_of(next.diff_id()), next.tar());
}

TEST_F(CollectTest, AnImportsOwnPackIsNotSwept) {
  SampleLayer sample;
  sample.file("f", content_of(300000, 1));
  Import import = must(store().begin_import());
  LayerImport layer = must(import.begin_layer());
  sample.feed(layer);
  must(store().collect({}));
  must(layer.finish(sample.record()));
  must(store().collect({}));
  ImageRecord image = image_of({sample.diff_id()});
  must(import.commit(std::span(&image, 1), {}));
  EXPECT_EQ(tar_of(sample.diff_id()), sample.tar());
}

TEST_F(CollectTest, ADamagedRecipeStopsItBeforeAnythingIsRemoved) {
  SampleLayer kept;
  kept.file("f", content_of(3000, 1));
  load(kept);
  SampleLayer gone;
  gone.file("f", content_of(3000, 2));
  load(gone);
  must(store().remove_image(image_of({gone.diff_id()}).id));
  std::string recipe = path() + "/layers/" + kept.diff_id().hex() + ".recipe";
  Fd file = must(sys::open(recipe.c_str(), O_RDWR));
  must(sys::pwrite_all(file, std::as_bytes(std::span("x", 1)), 70));
  auto collected = store().collect({});
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().code, EUCLEAN);
  EXPECT_NE(describe(collected.error()).find(kept.diff_id().hex()), std::string::npos);
  EXPECT_EQ(names_in("packs").size(), 2u);
}

TEST_F(CollectTest, APackWithADamagedFooterIsKept) {
  SampleLayer sample;
  sample.file("f", content_of(3000, 1));
  load(sample);
  std::string name = names_in("packs").front();
  auto size = must(sys::stat_at(sys::cwd(), (path() + "/packs/" + name).c_str())).st_size;
  flip(path() + "/packs/" + name, static_cast<uint64_t>(size) - 20);
  must(store().remove_image(image_of({sample.diff_id()}).id));
  CollectReport report = must(store().collect({}));
  EXPECT_EQ(report.packs_unreadable, 1u);
  EXPECT_EQ(names_in("packs").size(), 1u);
}

TEST_F(CollectTest, OneOfTwoCopiesGoes) {
  SampleLayer one;
  one.file("f", content_of(900000, 1));
  SampleLayer two;
  two.file("g", content_of(900000, 1));
  load_unseen({&one, &two});
  EXPECT_EQ(names_in("packs").size(), 2u);
  must(store().collect({}));
  EXPECT_EQ(names_in("packs").size(), 1u);
  EXPECT_EQ(tar_of(one.diff_id()), one.tar());
  EXPECT_EQ(tar_of(two.diff_id()), two.tar());
}

// A reader remembers where it found an object: perhaps in the copy that goes. Which one that is
// chance decides, so several are tried.
TEST_F(CollectTest, AReaderForgetsACopyThatIsPunchedOut) {
  for (unsigned seed = 10; seed < 70; seed += 10) {
    SampleLayer one = sharing(seed, seed + 1);
    SampleLayer two = sharing(seed, seed + 2);
    load_unseen({&one, &two});
    EXPECT_EQ(tar_of(one.diff_id()), one.tar());
    EXPECT_EQ(tar_of(two.diff_id()), two.tar());
    Store other = must(Store::open(path()));
    EXPECT_EQ(must(other.collect({})).packs_punched, 1u);
    EXPECT_EQ(tar_of(one.diff_id()), one.tar());
    EXPECT_EQ(tar_of(two.diff_id()), two.tar());
  }
}

// The copy that goes is still whole, and the index names it, when the collection says that it goes:
// a reader that finds it just then must not remember it.
TEST_F(CollectTest, ACopyIsNotRememberedThatIsAboutToBePunchedOut) {
  for (unsigned seed = 10; seed < 70; seed += 10) {
    SampleLayer one = sharing(seed, seed + 1);
    SampleLayer two = sharing(seed, seed + 2);
    load_unseen({&one, &two});
    unsigned punched = 0;
    bool in_batches = seed % 20 == 0;
    auto read = [&] {
      if (in_batches) {
        EXPECT_TRUE(shared_of(one) == content_of(900000, seed));
      } else {
        EXPECT_TRUE(tar_of(one.diff_id()) == one.tar());
      }
    };
    auto before = [&](const TracedCall& call) -> Decision {
      bool punches =
          call.number == SYS_fallocate && (call.arguments[1] & FALLOC_FL_PUNCH_HOLE) != 0;
      if (!punches) return {};
      ++punched;
      read();
      return {.kind = Decision::Kind::watch};
    };
    auto after = [&](const TracedCall&, int64_t) { read(); };
    auto collect = [&] { return must(Store::open(path())).collect({}) ? 0 : 1; };
    EXPECT_EQ(run_traced(collect, {.before = before, .after = after}).status, 0);
    EXPECT_GT(punched, 0u);
    EXPECT_EQ(tar_of(two.diff_id()), two.tar());
  }
}

TEST_F(CollectTest, ADamagedCopyTakesNoOthersPlace) {
  SampleLayer one;
  one.file("f", content_of(9000, 1));
  SampleLayer two;
  two.file("g", content_of(9000, 1));
  load_unseen({&one, &two});
  std::string damaged = names_in("packs").front();
  flip(path() + "/packs/" + damaged, 64 + 64 + 500);
  reopen();
  must(store().collect({}));
  EXPECT_EQ(tar_of(one.diff_id()), one.tar());
  EXPECT_EQ(tar_of(two.diff_id()), two.tar());
}

class CompactTest : public CollectTest {
 protected:
  void SetUp() override {
    CollectTest::SetUp();
    text_.file("text", text_of(1 << 20, 1));
    text_.file("small", text_of(100, 2));
    text_.file("none", "");
    noise_.file("noise", content_of(1 << 20, 3));
    load_together({&text_, &noise_});
  }
  void check_exact() {
    EXPECT_EQ(tar_of(text_.diff_id()), text_.tar());
    EXPECT_EQ(tar_of(noise_.diff_id()), noise_.tar());
  }
  SampleLayer text_;
  SampleLayer noise_;
};

TEST_F(CompactTest, CompressesWhatGainsByIt) {
  uint64_t before = pack_blocks();
  CollectReport report = must(store().collect({.compress = true}));
  EXPECT_EQ(report.packs_rewritten, 1u);
  EXPECT_LT(pack_blocks(), before * 4 / 5);
  EXPECT_GT(pack_blocks(), uint64_t{1} << 20);
  check_exact();
  reopen();
  check_exact();
  report = must(store().collect({.compress = true}));
  EXPECT_EQ(report.packs_rewritten, 0u);
}

TEST_F(CompactTest, ReadsPartsOfCompressedFiles) {
  must(store().collect({.compress = true}));
  std::string whole = text_of(1 << 20, 1);
  Tree tree = must(store().open_image_tree(image_of({text_.diff_id()}).chain_id));
  Ino ino = resolve(tree, "/text", true);
  for (size_t size : {1u, 4096u, 100000u, 400000u}) {
    for (size_t at = 0; at < whole.size(); at += size * 3 / 2 + 1) {
      std::string got(size, '\0');
      auto bytes = std::as_writable_bytes(std::span(got));
      size_t count = must(store().read_file(tree, ino, at, bytes));
      ASSERT_EQ(got.substr(0, count), whole.substr(at, size)) << at;
    }
  }
}

TEST_F(CompactTest, ALoadOfWhatIsCompressedWritesNothing) {
  must(store().collect({.compress = true}));
  SampleLayer again;
  again.file("copy", text_of(1 << 20, 1));
  load(again);
  EXPECT_EQ(names_in("packs").size(), 1u);
  EXPECT_EQ(tar_of(again.diff_id()), again.tar());
}

TEST_F(CompactTest, WhatIsYoungStaysAsItIs) {
  CollectReport report = must(store().collect({.compress = true, .older_than_s = 3600}));
  EXPECT_EQ(report.packs_rewritten, 0u);
}

TEST_F(CompactTest, ADamagedFrameKeepsItsPack) {
  flip(path() + "/packs/" + names_in("packs").front(), 4096 + 1000);
  CollectReport report = must(store().collect({.compress = true}));
  EXPECT_EQ(report.packs_unreadable, 1u);
  EXPECT_EQ(report.packs_rewritten, 0u);
  EXPECT_EQ(names_in("packs").size(), 1u);
  EXPECT_EQ(tar_of(noise_.diff_id()), noise_.tar());
}

TEST_F(CompactTest, AFlippedBitOfACompressedFrameIsNoticed) {
  must(store().collect({.compress = true}));
  flip(path() + "/packs/" + names_in("packs").front(), 64 + 64 + 1000);
  reopen();
  auto replayed = store().write_layer_tar(
      text_.diff_id(), [](std::span<const std::byte>) -> Result<> { return {}; });
  ASSERT_FALSE(replayed);
  EXPECT_EQ(replayed.error().code, EIO);
}

TEST_F(CompactTest, AKilledCompactionLosesNothing) {
  SampleLayer gone;
  gone.file("gone", content_of(500000, 9));
  for (int point = 0;; ++point) {
    SCOPED_TRACE("killed at call " + std::to_string(point));
    load(gone);
    close();
    bool killed = killed_at(point, [&] {
      auto opened = Store::open(path());
      if (!opened || !opened->remove_image(image_of({gone.diff_id()}).id)) return 1;
      return opened->collect({.compress = true}) ? 0 : 2;
    });
    reopen();
    check_exact();
    if (auto there = must(store().image(image_of({gone.diff_id()}).id))) {
      EXPECT_EQ(tar_of(gone.diff_id()), gone.tar());
      must(store().remove_image(there->id));
    }
    must(store().collect({}));
    check_exact();
    EXPECT_EQ(names_in("layers").size(), 4u);
    EXPECT_LE(names_in("packs").size(), 2u);
    if (!killed || HasFailure()) break;
  }
  EXPECT_EQ(must(store().collect({})).dead_objects, 0u);
}

// Without a single block to spare: nothing can be written anew, but space comes back all the same.
TEST(CollectFullDisk, GivesSpaceBackWhereThereIsNone) {
  std::string path = testing::TempDir() + "lyr-disk-XXXXXX";
  ASSERT_NE(::mkdtemp(path.data()), nullptr);
  if (mount("tmpfs", path.c_str(), "tmpfs", 0, "size=24m") != 0) {
    must(sys::remove_all_at(sys::cwd(), path.c_str()));
    GTEST_SKIP() << "mounting a tmpfs needs root";
  }
  {
    Store store = must(Store::open(path + "/store"));
    SampleLayer kept;
    kept.file("kept", content_of(100000, 1));
    SampleLayer gone;
    gone.file("gone", content_of(4 << 20, 2));
    Import import = must(store.begin_import());
    std::vector<ImageRecord> images;
    for (const SampleLayer* sample : {&kept, &gone}) {
      LayerImport layer = must(import.begin_layer());
      sample->feed(layer);
      must(layer.finish(sample->record()));
      images.push_back(image_of({sample->diff_id()}));
    }
    must(import.commit(images, {}));
    Fd filler = must(sys::open((path + "/filler").c_str(), O_WRONLY | O_CREAT, 0600));
    while (sys::write_all(filler, content_of(4096, 3))) {
    }
    filler.reset();
    must(store.remove_image(images[1].id));
    CollectReport report = must(store.collect({}));
    EXPECT_GT(report.bytes_before, report.bytes_after + (3 << 20));
    std::string tar;
    must(store.write_layer_tar(kept.diff_id(), [&](std::span<const std::byte> piece) -> Result<> {
      tar.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    EXPECT_EQ(tar, kept.tar());
  }
  umount2(path.c_str(), MNT_DETACH);
  must(sys::remove_all_at(sys::cwd(), path.c_str()));
}

}  // namespace
}  // namespace lyr::store
