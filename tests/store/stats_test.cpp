// SPDX-License-Identifier: Apache-2.0
// Where the bytes are, of stores small enough to count by hand.
#include "store/stats.h"

#include "store/pack.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class Stats : public StoreTest {
 protected:
  // An image of the layers, tagged `name`.
  Digest image(const std::string& name, const std::vector<SampleLayer>& layers, int64_t created) {
    Import import = must(store().begin_import());
    std::vector<Digest> diff_ids;
    for (const SampleLayer& sample : layers) {
      diff_ids.push_back(sample.diff_id());
      if (must(import.has_layer(sample.diff_id()))) continue;
      LayerImport layer = must(import.begin_layer());
      sample.feed(layer);
      must(layer.finish(sample.record()));
    }
    ImageRecord record = image_of(diff_ids);
    record.created_unix = created;
    Tag tag{name, record.id};
    must(import.commit({&record, 1}, {&tag, 1}));
    return record.id;
  }
};

SampleLayer layer_with(const std::vector<std::pair<size_t, unsigned>>& files) {
  SampleLayer layer;
  for (const auto& [size, seed] : files) {
    layer.file("f" + std::to_string(seed), content_of(size, seed));
  }
  return layer;
}

TEST_F(Stats, AnEmptyStoreHasNothing) {
  auto stats = must(store().stats());
  EXPECT_TRUE(stats.images.empty());
  EXPECT_EQ(stats.object_count() + stats.references + stats.packs + stats.pack_bytes, 0);
  EXPECT_EQ(stats.waste_bytes() + stats.overhead_bytes + stats.dead.count + stats.missing, 0);
}

TEST_F(Stats, EachByteIsSharedOrSomebodysOwn) {
  SampleLayer base = layer_with({{1000, 1}, {2000, 2}});
  SampleLayer left = layer_with({{400, 3}, {2000, 2}, {50, 4}});
  SampleLayer right = layer_with({{7000, 5}, {50, 4}});
  SampleLayer alone = layer_with({{900, 6}});
  image("a", {base, left}, 4);
  image("b", {base, right}, 3);
  image("c", {alone}, 2);
  auto stats = must(store().stats());
  ASSERT_EQ(stats.images.size(), 3);
  const ImageStats& a = stats.images[0];
  EXPECT_EQ(a.tags, std::vector<std::string>{"a"});
  EXPECT_EQ(a.tar_bytes, base.tar().size() + left.tar().size());
  EXPECT_EQ(a.object_bytes, 3450) << "1, 2, 3 and 4, the second once";
  EXPECT_EQ(a.unique_bytes, 400);
  EXPECT_EQ(a.shared_bytes, 3050);
  EXPECT_EQ(a.content_bytes, 3450);
  const ImageStats& b = stats.images[1];
  EXPECT_EQ(b.unique_bytes, 7000);
  EXPECT_EQ(b.shared_bytes, 3050);
  EXPECT_EQ(stats.images[2].unique_bytes, 900);
  EXPECT_EQ(stats.images[2].shared_bytes, 0);

  EXPECT_EQ(stats.layers, 4);
  EXPECT_EQ(stats.object_count(), 6);
  EXPECT_EQ(stats.references, 8);
  EXPECT_EQ(stats.object_bytes(), 11350);
  EXPECT_EQ(stats.hot.stored_bytes, 11350);
  EXPECT_EQ(stats.cold.count, 0);
  EXPECT_EQ(stats.layer_tar_bytes,
            base.tar().size() + left.tar().size() + right.tar().size() + alone.tar().size());
  EXPECT_EQ(stats.image_tar_bytes, stats.layer_tar_bytes + base.tar().size());
  EXPECT_EQ(stats.pack_bytes, pack_bytes());
  EXPECT_EQ(stats.pack_bytes, stats.stored_bytes() + stats.overhead_bytes);
  EXPECT_EQ(stats.dead.count, 0);
  EXPECT_GT(stats.recipe_bytes, 0);
  EXPECT_GT(stats.tree_bytes, 0);
  EXPECT_GT(stats.index_bytes, 0);
}

TEST_F(Stats, WhatNobodyNeedsAnyMoreIsDead) {
  SampleLayer kept = layer_with({{1000, 1}});
  SampleLayer both = layer_with({{2000, 2}, {300, 3}});
  // One import, so one pack: it stays for what is kept.
  Import import = must(store().begin_import());
  for (const SampleLayer* sample : {&kept, &both}) {
    LayerImport layer = must(import.begin_layer());
    sample->feed(layer);
    must(layer.finish(sample->record()));
  }
  std::vector<ImageRecord> images{image_of({kept.diff_id()}), image_of({both.diff_id()})};
  must(import.commit(images, {}));
  must(store().remove_image(images[1].id));
  auto stats = must(store().stats());
  EXPECT_EQ(stats.packs, 1);
  EXPECT_EQ(stats.hot.count, 1);
  EXPECT_EQ(stats.dead.count, 2);
  EXPECT_EQ(stats.dead.raw_bytes, 2300);
  EXPECT_EQ(stats.pack_bytes, 1000 + 2300 + stats.overhead_bytes);
}

TEST_F(Stats, ZerosAreHolesAndTakeNothing) {
  SampleLayer layer;
  layer.file("zeros", std::string(5000, '\0'));
  layer.file("data", content_of(600, 1));
  image("z", {layer}, 1);
  auto stats = must(store().stats());
  EXPECT_EQ(stats.images[0].hole_bytes, 5000);
  EXPECT_EQ(stats.images[0].object_bytes, 600);
  EXPECT_EQ(stats.images[0].content_bytes, 5600);
}

TEST_F(Stats, APackThatIsGoneIsAnError) {
  image("a", {layer_with({{1000, 1}})}, 1);
  std::string pack = names_in("packs").front();
  must(sys::unlink_at(sys::cwd(), (path() + "/packs/" + pack).c_str()));
  auto stats = store().stats();
  ASSERT_FALSE(stats);
  EXPECT_NE(describe(stats.error()).find(pack), std::string::npos) << describe(stats.error());
}

TEST_F(Stats, ADamagedFooterIsReadAround) {
  image("a", {layer_with({{1000, 1}, {200000, 2}})}, 1);
  auto whole = must(store().stats());
  std::string pack = path() + "/packs/" + names_in("packs").front();
  Fd file = must(sys::open(pack.c_str(), O_RDWR));
  uint64_t end = whole.pack_bytes - sizeof(PackTrailer);
  std::string garbage(8, 'x');
  must(sys::pwrite_all(file, std::as_bytes(std::span(garbage)), end));
  auto stats = must(store().stats());
  EXPECT_EQ(stats.object_bytes(), whole.object_bytes());
  EXPECT_EQ(stats.missing, 0);
}

}  // namespace
}  // namespace lyr::store
