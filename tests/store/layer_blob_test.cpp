// SPDX-License-Identifier: Apache-2.0
// A layer's compressed form: it comes out as it came in, is seen only once committed, and goes with
// its layer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "store/catalog_record.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

constexpr const char* media_type = "application/vnd.oci.image.layer.v1.tar+gzip";

class LayerBlobTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    sample_.file("f", content_of(20000, 1));
    image_ = image_of({sample_.diff_id()});
  }

  static void keep(Import& import, const Digest& diff_id, const std::string& content) {
    BlobImport blob = must(import.begin_blob());
    auto rest = std::as_bytes(std::span(content));
    must(blob.write(rest.first(rest.size() / 2)));
    must(blob.write(rest.subspan(rest.size() / 2)));
    EXPECT_EQ(blob.finish(), Digest::of(content));
    must(import.keep_blob(diff_id, std::move(blob), media_type));
  }
  void add_layer(Import& import) {
    LayerImport layer = must(import.begin_layer());
    sample_.feed(layer);
    must(layer.finish(sample_.record()));
  }
  void import_with(const std::string& content) {
    Import import = must(store().begin_import());
    if (!must(import.has_layer(sample_.diff_id()))) add_layer(import);
    keep(import, sample_.diff_id(), content);
    EXPECT_TRUE(must(import.has_blob(sample_.diff_id())));
    must(import.commit(std::span(&image_, 1), {}));
  }
  LayerRecord record() { return must(store().layer(sample_.diff_id())).value(); }
  Result<std::string> blob_of(const LayerRecord& layer) {
    std::string content;
    TRY(store().write_layer_blob(layer, [&](std::span<const std::byte> piece) -> Result<> {
      content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    return content;
  }

  SampleLayer sample_;
  ImageRecord image_;
};

TEST_F(LayerBlobTest, ComesOutAsItCameIn) {
  std::string content = content_of(700000, 7);
  import_with(content);
  reopen();
  LayerRecord layer = record();
  EXPECT_TRUE(layer.blob_kept);
  EXPECT_EQ(layer.blob_digest, Digest::of(content));
  EXPECT_EQ(layer.blob_bytes, content.size());
  EXPECT_EQ(layer.blob_media_type, media_type);
  EXPECT_EQ(must(blob_of(layer)), content);
  EXPECT_EQ(tar_of(sample_.diff_id()), sample_.tar());
  EXPECT_EQ(names_in("blobs"), std::vector{layer.blob_digest.hex()});
  EXPECT_EQ(must(store().sizes()).blob_bytes, content.size());
}

TEST_F(LayerBlobTest, ALayerThatIsHereGetsIt) {
  load(sample_);
  EXPECT_FALSE(record().blob_kept);
  import_with("compressed");
  EXPECT_EQ(must(blob_of(record())), "compressed");
  EXPECT_EQ(record().entries, 1u);
  Import import = must(store().begin_import());
  EXPECT_TRUE(must(import.has_blob(sample_.diff_id())));
  EXPECT_FALSE(must(import.has_blob(Digest::of("another"))));
}

TEST_F(LayerBlobTest, IsNotThereBeforeTheCommitNorWithoutItsLayer) {
  {
    Import import = must(store().begin_import());
    add_layer(import);
    keep(import, sample_.diff_id(), "compressed");
    EXPECT_TRUE(names_in("blobs").empty());
  }
  EXPECT_TRUE(names_in("blobs").empty());
  {
    Import import = must(store().begin_import());
    keep(import, Digest::of("no layer"), "compressed");
    auto committed = import.commit({}, {});
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, ENOENT);
  }
  must(store().begin_import());  // takes away what failed ones left
  EXPECT_TRUE(names_in("blobs").empty());
}

TEST_F(LayerBlobTest, GoesWithItsLayer) {
  import_with("compressed");
  must(store().remove_image(image_.id));
  must(store().begin_import());
  EXPECT_TRUE(names_in("blobs").empty());
}

TEST_F(LayerBlobTest, DamageIsAnErrorAndComingAgainMendsIt) {
  import_with("compressed");
  std::string file = path() + "/blobs/" + record().blob_digest.hex();
  std::ofstream(file, std::ios::binary) << "compresse!";
  auto damaged = blob_of(record());
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, EIO);
  std::ofstream(file, std::ios::binary) << "cut";
  EXPECT_FALSE(must(must(store().begin_import()).has_blob(sample_.diff_id())));
  import_with("compressed");
  EXPECT_EQ(must(blob_of(record())), "compressed");
}

TEST(LayerRecordTest, OnlyAKeptBlobNeedsTheNewerForm) {
  LayerRecord record;
  record.blob_media_type = "x";
  std::string plain = encode(record);
  record.blob_kept = true;
  std::string kept = encode(record);
  EXPECT_EQ(plain[0], 1);
  EXPECT_EQ(kept[0], 2);
  EXPECT_TRUE(must(decode_layer(kept)).blob_kept);
  EXPECT_FALSE(must(decode_layer(plain)).blob_kept);
  for (size_t size = 0; size < kept.size(); ++size) {
    EXPECT_FALSE(decode_layer(std::string_view(kept).substr(0, size)));
  }
  kept[kept.size() - 8] = 2;  // a thing that this lyr does not know
  EXPECT_FALSE(decode_layer(kept));
}

}  // namespace
}  // namespace lyr::store
