// SPDX-License-Identifier: Apache-2.0
// Parts of several objects at once, with a ring and without.
#include <gtest/gtest.h>

#include <thread>

#include "store/object_reader.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

ObjectId id_of(const std::string& content) {
  return ObjectId::of(std::as_bytes(std::span(content)));
}

class ObjectBatch : public StoreTest, public testing::WithParamInterface<sys::ReadWay> {
 protected:
  // Objects in two packs, in turn.
  void SetUp() override {
    StoreTest::SetUp();
    SampleLayer layers[2];
    for (unsigned i = 0; i < batch_parts_max; ++i) {
      contents_.push_back(text_of(i == 0 ? 10 : i * 8000, i));
      layers[i % 2].file("f" + std::to_string(i), contents_.back());
    }
    for (const SampleLayer& layer : layers) load(layer);
    open_objects();
  }
  void TearDown() override {
    close_objects();
    StoreTest::TearDown();
  }

  void close_objects() {
    objects_.reset();
    index_.reset();
    catalog_.reset();
  }
  // As a process that has read nothing yet.
  void open_objects() {
    close_objects();
    close();
    catalog_.emplace(must(Catalog::open(path())));
    directory_ = must(sys::open(path().c_str(), O_RDONLY | O_DIRECTORY));
    packs_ = must(sys::open_at(directory_, "packs", O_RDONLY | O_DIRECTORY));
    index_ = must(Index::open(directory_));
    objects_.emplace(packs_, *index_, *catalog_, GetParam());
  }
  Place place_of(size_t number) {
    Place place;
    index_->find(id_of(contents_[number]), [&](const Place& found) {
      place = found;
      return true;
    });
    return place;
  }
  std::string pack_of(size_t number) {
    return path() + "/packs/" + pack_name(place_of(number).pack);
  }
  void damage(size_t number) {
    flip(pack_of(number), place_of(number).offset + sizeof(FrameHeader) + 5);
  }

  // Of each object all but `skipped` bytes at both ends, in one batch; those that failed.
  std::vector<size_t> read_all(size_t skipped, uint64_t hint = 0) {
    std::vector<std::string> texts(contents_.size());
    std::vector<ObjectPart> parts(contents_.size());
    for (size_t i = 0; i < parts.size(); ++i) {
      size_t skip = std::min(skipped, contents_[i].size() / 2);
      texts[i].resize(contents_[i].size() - 2 * skip);
      parts[i].object = id_of(contents_[i]);
      parts[i].offset = skip;
      parts[i].data = std::as_writable_bytes(std::span(texts[i]));
      parts[i].object_bytes = hint != 0 ? hint : contents_[i].size();
    }
    objects_->read_parts(parts);
    std::vector<size_t> failed;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].got) {
        EXPECT_EQ(parts[i].got.error().code, EIO) << i;
        failed.push_back(i);
        continue;
      }
      size_t skip = std::min(skipped, contents_[i].size() / 2);
      EXPECT_EQ(*parts[i].got, texts[i].size()) << i;
      EXPECT_TRUE(texts[i] == contents_[i].substr(skip, texts[i].size())) << i;
    }
    return failed;
  }

  std::vector<std::string> contents_;
  std::optional<Catalog> catalog_;
  Fd directory_;
  Fd packs_;
  std::unique_ptr<Index> index_;
  std::optional<ObjectReader> objects_;
};

using Numbers = std::vector<size_t>;

TEST_P(ObjectBatch, GivesEachPart) {
  for (size_t skipped : {0, 1, 3000}) {
    open_objects();
    EXPECT_EQ(read_all(skipped), Numbers{}) << skipped;  // checked now
    EXPECT_EQ(read_all(skipped), Numbers{}) << skipped;
    EXPECT_EQ(read_all(skipped + 100), Numbers{}) << skipped;
  }
}

TEST_P(ObjectBatch, GivesPartsOfCompressedObjects) {
  close_objects();
  reopen();
  CollectOptions compact;
  compact.compress = true;
  ASSERT_GT(must(store().collect(compact)).packs_rewritten, 0u);
  for (size_t skipped : {0, 1, 3000}) {
    open_objects();
    EXPECT_EQ(read_all(skipped), Numbers{}) << skipped;
    EXPECT_EQ(read_all(skipped), Numbers{}) << skipped;
  }
}

TEST_P(ObjectBatch, AWrongHintDoesNoHarm) {
  for (uint64_t hint : {uint64_t{1}, uint64_t{50000}, object_bytes_max, UINT64_MAX}) {
    open_objects();
    EXPECT_EQ(read_all(10, hint), Numbers{}) << hint;
    open_objects();
    EXPECT_EQ(read_all(0, hint), Numbers{}) << hint;
  }
}

TEST_P(ObjectBatch, ReadsNoMoreThanTheObjectHas) {
  std::string more(contents_[3].size() + 10, '\0');
  std::string other(contents_[4].size(), '\0');
  for (int times = 0; times < 2; ++times) {
    std::vector<ObjectPart> parts(2);
    parts[0].object = id_of(contents_[3]);
    parts[0].data = std::as_writable_bytes(std::span(more));
    parts[0].object_bytes = more.size();
    parts[1].object = id_of(contents_[4]);
    parts[1].data = std::as_writable_bytes(std::span(other));
    parts[1].object_bytes = other.size();
    objects_->read_parts(parts);
    ASSERT_TRUE(parts[0].got && parts[1].got);
    EXPECT_EQ(*parts[0].got, contents_[3].size());
    EXPECT_TRUE(more.starts_with(contents_[3]));
    EXPECT_TRUE(other == contents_[4]);
  }
}

TEST_P(ObjectBatch, ADamagedFrameFailsAlone) {
  damage(7);
  EXPECT_EQ(read_all(0), Numbers{7});
  EXPECT_EQ(read_all(100), Numbers{7});
}

TEST_P(ObjectBatch, ADamagedHeaderFailsAlone) {
  flip(pack_of(7), place_of(7).offset + 4);
  EXPECT_EQ(read_all(0), Numbers{7});
}

TEST_P(ObjectBatch, AnotherCopyServesForADamagedOne) {
  damage(7);
  close_objects();
  reopen();
  SampleLayer again;
  again.file("again", contents_[7]);
  load(again);
  open_objects();
  EXPECT_EQ(read_all(0), Numbers{});
  open_objects();
  EXPECT_EQ(read_all(100), Numbers{});
}

TEST_P(ObjectBatch, ACutPackFailsTheObjectsItLost) {
  std::string pack = pack_of(9);
  uint64_t kept = place_of(9).offset + 1000;
  must(sys::truncate(must(sys::open(pack.c_str(), O_RDWR)), kept));
  EXPECT_EQ(read_all(0), (Numbers{9, 11, 13, 15}));
}

TEST_P(ObjectBatch, APackCutAfterTheCheckFailsTheObjectsItLost) {
  ASSERT_EQ(read_all(0), Numbers{});
  std::string pack = pack_of(9);
  uint64_t kept = place_of(9).offset + 1000;
  must(sys::truncate(must(sys::open(pack.c_str(), O_RDWR)), kept));
  EXPECT_EQ(read_all(0), (Numbers{9, 11, 13, 15}));
}

TEST_P(ObjectBatch, ALostPackFailsItsObjects) {
  std::string pack = pack_of(9);
  must(sys::unlink_at(sys::cwd(), pack.c_str()));
  EXPECT_EQ(read_all(0), (Numbers{1, 3, 5, 7, 9, 11, 13, 15}));
}

TEST_P(ObjectBatch, ServesThreadsSideBySide) {
  for (int times = 0; times < 3; ++times) {
    open_objects();
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < 6; ++i) {
      threads.emplace_back([this, i] {
        for (size_t turn = 0; turn < 5; ++turn) EXPECT_EQ(read_all(i * 10), Numbers{});
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(BothWays, ObjectBatch,
                         testing::Values(sys::ReadWay::ring, sys::ReadWay::one_by_one),
                         [](const auto& test) -> std::string {
                           return test.param == sys::ReadWay::ring ? "Ring" : "OneByOne";
                         });

}  // namespace
}  // namespace lyr::store
