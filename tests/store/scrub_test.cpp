// SPDX-License-Identifier: Apache-2.0
// A scrub finds a flipped bit wherever it is, says whose it is, and mends what can be mended.
#include <gtest/gtest.h>

#include "store/pack.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class ScrubTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    sample_.file("small", content_of(3000, 1));
    sample_.file("large", content_of(400000, 2));
    sample_.file("text", std::string(50000, 'x') + content_of(10, 3));
    load(sample_);
    image_ = image_of({sample_.diff_id()}).id;
  }
  std::vector<Damage> damage() {
    reopen();
    return must(store().scrub({})).damage;
  }

  SampleLayer sample_;
  Digest image_;
};

TEST_F(ScrubTest, AWholeStoreHasNoDamage) {
  ScrubReport report = must(store().scrub({}));
  EXPECT_TRUE(report.damage.empty());
  EXPECT_EQ(report.images, 1u);
  EXPECT_EQ(report.layers, 1u);
  EXPECT_EQ(report.packs, 1u);
  EXPECT_GT(report.objects, 3u);
  EXPECT_GT(report.bytes, 450000u);
  must(store().collect({.compress = true}));
  EXPECT_TRUE(must(store().scrub({})).damage.empty());
}

// Padding alone may change unseen: it stands for nothing.
TEST_F(ScrubTest, AFlippedBitOfAnyFileIsFound) {
  for (bool compressed : {false, true}) {
    if (compressed) must(store().collect({.compress = true}));
    std::string pack = only_file("packs", ".pack");
    PackNumber number = must(parse_pack_name(pack.substr(pack.rfind('/') + 1)));
    Fd packs = must(sys::open((path() + "/packs").c_str(), O_RDONLY | O_DIRECTORY));
    PackReader reader = must(PackReader::open(packs, number, size_of(pack)));
    for (const PackFooterEntry& entry : must(reader.footer())) {
      uint64_t end = entry.offset + sizeof(FrameHeader) + entry.stored_bytes;
      uint64_t step = std::max<uint64_t>((end - entry.offset) / 7, 1);
      for (uint64_t at = entry.offset; at < end; at += step) {
        flip(pack, at);
        auto found = damage();
        ASSERT_FALSE(found.empty()) << at;
        EXPECT_EQ(found.back().images, std::vector{image_}) << at;
        flip(pack, at);
      }
    }
    for (uint64_t at = size_of(pack) - 60; at < size_of(pack) - 8; at += 3) {
      flip(pack, at);
      EXPECT_FALSE(damage().empty()) << at;
      flip(pack, at);
    }
    EXPECT_TRUE(damage().empty());
  }
  for (const std::string& file : {only_file("layers", ".recipe"), only_file("layers", ".tree"),
                                  only_file("trees", ".tree")}) {
    for (uint64_t at = 0; at < size_of(file); at += 5) {
      flip(file, at);
      auto found = damage();
      ASSERT_FALSE(found.empty()) << file << " " << at;
      EXPECT_EQ(found.back().images, std::vector{image_});
      flip(file, at);
    }
  }
  EXPECT_TRUE(damage().empty());
}

TEST_F(ScrubTest, ALostPackIsFound) {
  must(sys::unlink_at(sys::cwd(), only_file("packs", ".pack").c_str()));
  auto found = damage();
  ASSERT_EQ(found.size(), 2u);  // the layer, and the pack
  EXPECT_EQ(found[0].images, std::vector{image_});
}

TEST_F(ScrubTest, ADamagedCopyGoesWhenThereIsAnother) {
  flip(only_file("packs", ".pack"), 64 + 64 + 1000);
  EXPECT_EQ(damage().size(), 2u);  // the layer, and the frame
  ScrubReport report = must(store().scrub({.mend = true}));
  EXPECT_EQ(report.mended, 0u);
  SampleLayer again;
  again.file("copy", content_of(3000, 1));
  load(again);
  EXPECT_EQ(damage().size(), 1u);
  report = must(store().scrub({.mend = true}));
  EXPECT_EQ(report.mended, 1u);
  EXPECT_TRUE(report.damage.empty());
  EXPECT_TRUE(damage().empty());
  EXPECT_EQ(tar_of(sample_.diff_id()), sample_.tar());
  must(store().collect({}));
  EXPECT_EQ(tar_of(sample_.diff_id()), sample_.tar());
  EXPECT_EQ(tar_of(again.diff_id()), again.tar());
}

TEST_F(ScrubTest, APackWithoutAFooterIsWrittenAnew) {
  std::string pack = only_file("packs", ".pack");
  flip(pack, size_of(pack) - 20);
  EXPECT_EQ(damage().size(), 1u);
  EXPECT_EQ(must(store().scrub({.mend = true})).mended, 1u);
  EXPECT_TRUE(damage().empty());
  EXPECT_NE(only_file("packs", ".pack"), pack);
  EXPECT_EQ(tar_of(sample_.diff_id()), sample_.tar());
}

}  // namespace
}  // namespace lyr::store
