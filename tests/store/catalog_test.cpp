// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "store/catalog_record.h"
#include "store/lmdb.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class CatalogTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    for (unsigned i = 0; i < 3; ++i) {
      samples_[i].file("f" + std::to_string(i), content_of(20000, i));
    }
  }
  // An image of these samples, loaded.
  ImageRecord add(std::vector<unsigned> layers, int64_t created, std::vector<std::string> names) {
    std::vector<Digest> diff_ids;
    Import import = must(store().begin_import());
    for (unsigned i : layers) {
      diff_ids.push_back(samples_[i].diff_id());
      if (must(import.has_layer(diff_ids.back()))) continue;
      LayerImport layer = must(import.begin_layer());
      samples_[i].feed(layer);
      must(layer.finish(samples_[i].record()));
    }
    ImageRecord image = image_of(diff_ids);
    image.created_unix = created;
    std::vector<Tag> tags;
    for (const std::string& name : names) tags.push_back({name, image.id});
    must(import.commit(std::span(&image, 1), tags));
    return image;
  }

  SampleLayer samples_[3];
};

TEST_F(CatalogTest, KeepsRecordsAsTheyAre) {
  ImageRecord image = add({0, 1}, -7, {"docker.io/library/a:1"});
  reopen();
  ImageRecord got = must(store().image(image.id)).value();
  EXPECT_EQ(got.chain_id, image.chain_id);
  EXPECT_EQ(got.diff_ids, image.diff_ids);
  EXPECT_EQ(got.config_json, image.config_json);
  EXPECT_EQ(got.created_unix, -7);
  EXPECT_EQ(must(store().tag("docker.io/library/a:1")), image.id);
  LayerRecord layer = must(store().layer(samples_[1].diff_id())).value();
  EXPECT_EQ(layer.tar_bytes, samples_[1].tar().size());
  StoreSizes sizes = must(store().sizes());
  EXPECT_EQ(sizes.images, 1u);
  EXPECT_EQ(sizes.layers, 2u);
  EXPECT_EQ(sizes.pack_bytes, pack_bytes());
}

TEST_F(CatalogTest, ListsImagesNewestFirstAndTagsByName) {
  ImageRecord old_one = add({0}, 100, {"b:1", "a:2"});
  ImageRecord new_one = add({1}, 200, {"a:1"});
  auto images = must(store().images());
  ASSERT_EQ(images.size(), 2u);
  EXPECT_EQ(images[0].id, new_one.id);
  auto tags = must(store().tags());
  ASSERT_EQ(tags.size(), 3u);
  EXPECT_EQ(tags[0].name, "a:1");
  EXPECT_EQ(tags[2].image, old_one.id);
}

TEST_F(CatalogTest, TagsMoveAndGo) {
  ImageRecord one = add({0}, 1, {"x:1"});
  ImageRecord two = add({1}, 2, {});
  must(store().set_tag("x:1", two.id));
  EXPECT_EQ(must(store().tag("x:1")), two.id);
  auto set = store().set_tag("y:1", Digest::of("none"));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ENOENT);
  EXPECT_FALSE(store().set_tag("", one.id));
  EXPECT_FALSE(store().set_tag(std::string(2000, 'n'), one.id));
  EXPECT_TRUE(must(store().remove_tag("x:1")));
  EXPECT_FALSE(must(store().remove_tag("x:1")));
  EXPECT_FALSE(must(store().tag("x:1")).has_value());
}

TEST_F(CatalogTest, RemovingAnImageKeepsWhatOthersNeed) {
  ImageRecord one = add({0, 1}, 1, {"one:1", "uno:1"});
  ImageRecord two = add({0, 2}, 2, {"two:1"});
  must(store().remove_image(one.id));
  EXPECT_FALSE(must(store().image(one.id)).has_value());
  EXPECT_EQ(must(store().tags()).size(), 1u);
  EXPECT_FALSE(must(store().layer(samples_[1].diff_id())).has_value());
  EXPECT_EQ(tar_of(samples_[0].diff_id()), samples_[0].tar());
  EXPECT_EQ(tar_of(samples_[2].diff_id()), samples_[2].tar());
  must(store().open_image_tree(two.chain_id));
  auto again = store().remove_image(one.id);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ENOENT);

  must(store().remove_image(two.id));
  must(store().collect({}));
  EXPECT_EQ(files(), "");
}

TEST_F(CatalogTest, ALayerThatAnImportBuildsOnOutlivesItsImage) {
  ImageRecord one = add({0}, 1, {});
  {
    Import import = must(store().begin_import());
    ASSERT_TRUE(must(import.has_layer(samples_[0].diff_id())));
    must(store().remove_image(one.id));
    must(store().collect({}));
    must(import.commit(std::span(&one, 1), {}));
  }
  must(store().collect({}));
  EXPECT_EQ(tar_of(samples_[0].diff_id()), samples_[0].tar());
  must(store().remove_image(one.id));
  must(store().collect({}));
  EXPECT_EQ(files(), "");
}

TEST_F(CatalogTest, ALayerThatNobodyBuiltOnInTheEndIsCollected) {
  ImageRecord one = add({0}, 1, {});
  {
    Import import = must(store().begin_import());
    ASSERT_TRUE(must(import.has_layer(samples_[0].diff_id())));
    must(store().remove_image(one.id));
    EXPECT_EQ(must(store().collect({})).layers_forgotten, 0u);
  }
  EXPECT_EQ(must(store().collect({})).layers_forgotten, 1u);
  EXPECT_EQ(files(), "");
}

TEST_F(CatalogTest, TwoStoresOfOneDirectoryAreOne) {
  Store other = must(Store::open(path()));
  ImageRecord image = add({0}, 1, {"x:1"});
  EXPECT_EQ(must(other.tag("x:1")), image.id);
  {
    Store third = must(Store::open(path()));
  }
  must(other.remove_image(image.id));
  EXPECT_FALSE(must(store().image(image.id)).has_value());
}

TEST_F(CatalogTest, ChainIdsAreTheSpecs) {
  Digest a = Digest::of("a");
  Digest b = Digest::of("b");
  EXPECT_EQ(chain_id_of(std::vector{a}), a);
  EXPECT_EQ(chain_id_of(std::vector{a, b}), Digest::of(a.text() + " " + b.text()));
}

// A store of format 1 has no table of dropped frames.
TEST_F(CatalogTest, AnOlderStoreIsTakenOver) {
  ImageRecord image = add({0}, 1, {"x:1"});
  close();
  {
    MDB_env* environment = nullptr;
    ASSERT_EQ(mdb_env_create(&environment), 0);
    mdb_env_set_maxdbs(environment, 8);
    ASSERT_EQ(mdb_env_open(environment, (path() + "/catalog.mdb").c_str(), MDB_NOSUBDIR, 0600), 0);
    Transaction transaction = must(Transaction::begin(environment, false));
    MDB_dbi meta = 0;
    MDB_dbi dropped = 0;
    ASSERT_EQ(mdb_dbi_open(transaction.raw(), "meta", 0, &meta), 0);
    ASSERT_EQ(mdb_dbi_open(transaction.raw(), "dropped", 0, &dropped), 0);
    ASSERT_EQ(mdb_drop(transaction.raw(), dropped, 1), 0);
    must(transaction.put(meta, "version", std::string_view("\1\0\0\0\0\0\0\0", 8)));
    must(transaction.commit());
    mdb_env_close(environment);
  }
  reopen();
  EXPECT_EQ(must(store().tag("x:1")), image.id);
  EXPECT_EQ(tar_of(samples_[0].diff_id()), samples_[0].tar());
  must(store().remove_image(image.id));
  must(store().collect({}));
  EXPECT_EQ(files(), "");
}

TEST(CatalogRecordTest, EveryCutRecordIsRefused) {
  ImageRecord image = image_of({Digest::of("a"), Digest::of("b")});
  LayerRecord layer;
  layer.blob_media_type = "x";
  std::string image_bytes = encode(image);
  std::string layer_bytes = encode(layer);
  for (size_t size = 0; size < image_bytes.size(); ++size) {
    EXPECT_FALSE(decode_image(std::string_view(image_bytes).substr(0, size)));
  }
  for (size_t size = 0; size < layer_bytes.size(); ++size) {
    EXPECT_FALSE(decode_layer(std::string_view(layer_bytes).substr(0, size)));
  }
  EXPECT_FALSE(decode_image(image_bytes + "x"));
}

}  // namespace
}  // namespace lyr::store
