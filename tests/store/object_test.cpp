// SPDX-License-Identifier: Apache-2.0
// Where objects are cut, kept and found: chunker and reader.
#include <gtest/gtest.h>

#include "store/chunker.h"
#include "store/object_reader.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

std::vector<size_t> cuts_of(std::string_view content) {
  std::vector<size_t> cuts;
  auto rest = std::as_bytes(std::span(content));
  while (!rest.empty()) {
    size_t length = first_chunk(rest);
    cuts.push_back(length);
    rest = rest.subspan(length);
  }
  return cuts;
}

TEST(ChunkerTest, KeepsItsBoundsAndItsAverage) {
  auto cuts = cuts_of(content_of(32 << 20, 1));
  for (size_t i = 0; i + 1 < cuts.size(); ++i) {
    EXPECT_GE(cuts[i], chunk_bytes_min);
    EXPECT_LE(cuts[i], chunk_bytes_max);
  }
  size_t average = (size_t{32} << 20) / cuts.size();
  EXPECT_GT(average, chunk_bytes_average / 2);
  EXPECT_LT(average, chunk_bytes_average * 2);
}

TEST(ChunkerTest, CutsEqualBytesAtEqualPlacesAfterAnInsertion) {
  std::string content = content_of(8 << 20, 2);
  auto before = cuts_of(content);
  auto after = cuts_of("an insertion" + content);
  size_t same = 0;
  while (same < std::min(before.size(), after.size()) &&
         before[before.size() - 1 - same] == after[after.size() - 1 - same]) {
    ++same;
  }
  EXPECT_GT(same, before.size() - 10);
}

// A store's chunks are shared with what is loaded later, also by a newer lyr.
TEST(ChunkerTest, CutsWhereItAlwaysDid) {
  std::string content = content_of(4 << 20, 3);
  std::string all;
  for (size_t from : {0, 1, 77, 4096, 100001}) {
    for (size_t bytes : {100000, 65537, 65536, 16385, 16384, 3 << 20}) {
      for (size_t cut : cuts_of(std::string_view(content).substr(from, bytes))) {
        all += std::to_string(cut) + " ";
      }
    }
  }
  EXPECT_EQ(Digest::of(all).hex(),
            "28b028ecee4d8ee542c542d31b7dcbca13e90375c1cadd34cc44aa0d69653c76");
}

class ObjectTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-object-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    directory_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  std::string path_;
  Fd directory_;
};

ObjectId object_of(std::string_view content) {
  return ObjectId::of(std::as_bytes(std::span(content)));
}

TEST_F(ObjectTest, TwoContentsWithOneKeyStayTwoObjects) {
  std::string one = content_of(1000, 1);
  std::string two = content_of(2000, 2);
  ObjectId one_id = object_of(one);
  ObjectId two_id = object_of(two);
  two_id.xxh3_low = one_id.xxh3_low;  // as an attacker would make them
  two_id.xxh3_high = one_id.xxh3_high;

  Catalog catalog = must(Catalog::open(path_));
  auto index = must(Index::open(directory_));
  PackWrites writes;
  PackWriter writer = must(PackWriter::create(directory_, writes));
  must(writer.append(one_id, std::as_bytes(std::span(one))));
  must(writer.append(two_id, std::as_bytes(std::span(two))));
  PackRecord pack{.number = writer.number(), .bytes = must(writer.seal())};
  must(catalog.commit({.packs = {&pack, 1}}));

  ObjectReader reader(directory_, *index, catalog);
  std::string got(2000, '\0');
  auto bytes = std::as_writable_bytes(std::span(got));
  EXPECT_EQ(must(reader.read(two_id, 0, bytes)), 2000u);
  EXPECT_EQ(got, two);
  EXPECT_EQ(must(reader.read(one_id, 0, bytes)), 1000u);
  EXPECT_EQ(got.substr(0, 1000), one);
  auto anywhere = [](const Place&) { return true; };
  auto nowhere = [](const Place&) { return false; };
  EXPECT_TRUE(reader.find_same(one_id, std::as_bytes(std::span(one)), anywhere));
  EXPECT_FALSE(reader.find_same(one_id, std::as_bytes(std::span(one)), nowhere));
  EXPECT_FALSE(reader.find_same(two_id, std::as_bytes(std::span(one)), anywhere));

  ObjectId third = one_id;  // the key is here, the content is not
  third.sha256 = Digest::of("another");
  auto read = reader.read(third, 0, bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EIO);
}

}  // namespace
}  // namespace lyr::store
