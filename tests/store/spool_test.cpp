// SPDX-License-Identifier: Apache-2.0
#include "store/spool.h"

#include <gtest/gtest.h>

#include "store/store_state.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class SpoolTest : public ::testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-spool-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    directory_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
    content_ = content_of(GetParam(), 1);
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  // In pieces of many sizes.
  Spool spool(const std::string& content) {
    Spool spool(directory_);
    auto rest = std::as_bytes(std::span(content));
    for (size_t size = 1; !rest.empty(); size = size * 3 % 700'001 + 1) {
      auto piece = rest.first(std::min(rest.size(), size));
      must(spool.append(piece));
      rest = rest.subspan(piece.size());
    }
    EXPECT_EQ(spool.bytes(), content.size());
    return spool;
  }
  static std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::string path_;
  Fd directory_;
  std::string content_;
};

TEST_P(SpoolTest, GivesBackAnyPart) {
  Spool spool = this->spool(content_);
  for (size_t size : {size_t{0}, size_t{1}, size_t{65536}, spool_step_bytes + 1}) {
    for (size_t at = 0; at + size <= content_.size(); at += 100'003) {
      std::vector<std::byte> data(size);
      must(spool.read(at, data));
      ASSERT_TRUE(text(data) == content_.substr(at, size)) << size << " at " << at;
    }
  }
  Spool::View view = must(spool.view());
  EXPECT_TRUE(text(view.bytes) == content_);
  view.mapping.release();
  EXPECT_TRUE(text(view.bytes) == content_);
}

TEST_P(SpoolTest, PutsOtherBytesInThePlaceOfSome) {
  Spool spool = this->spool(content_);
  std::string other(std::min<size_t>(1000, content_.size()), 'x');
  for (size_t at = 0; at + other.size() <= content_.size(); at += 50'021) {
    must(spool.patch(at, std::as_bytes(std::span(other))));
    content_.replace(at, other.size(), other);
  }
  EXPECT_TRUE(text(must(spool.view()).bytes) == content_);
}

TEST_P(SpoolTest, BecomesAFile) {
  Spool spool = this->spool(content_);
  must(spool.start_writeback());
  must(publish_file(directory_, "name", {}));
  must(spool.publish(directory_, "name"));
  EXPECT_TRUE(must(sys::read_file_at(directory_, "name")) == content_);
  size_t names = 0;
  must(sys::read_directory(directory_, [&](const sys::DirectoryEntry& entry) {
    names += entry.name != "." && entry.name != ".." ? 1 : 0;
    return true;
  }));
  EXPECT_EQ(names, 1u);
}

TEST_P(SpoolTest, KeepsLittleInMemory) {
  Spool spool = this->spool(content_);
  EXPECT_LE(spool.memory_bytes(), 2 * spool_memory_bytes);
}

INSTANTIATE_TEST_SUITE_P(Sizes, SpoolTest,
                         testing::Values(0, 1, 100'000, spool_memory_bytes, spool_memory_bytes + 1,
                                         9'000'000));

TEST(SpoolInMemoryTest, NeedsNoDirectory) {
  Spool spool;
  std::string content = content_of(3 * spool_memory_bytes, 1);
  must(spool.append(std::as_bytes(std::span(content))));
  EXPECT_EQ(spool.in_memory().size(), content.size());
}

}  // namespace
}  // namespace lyr::store
