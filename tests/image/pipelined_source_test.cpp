// SPDX-License-Identifier: Apache-2.0
#include "image/pipelined_source.h"

#include <gtest/gtest.h>

namespace lyr::image {
namespace {

// Counts up to `bytes`, then ends or fails.
class CountingReader final : public ByteReader {
 public:
  CountingReader(uint64_t bytes, bool fails) : left_(bytes), fails_(fails) {}
  Result<size_t> read(std::span<std::byte> data) override {
    if (left_ == 0 && fails_) return fail(EBADMSG, "read", "damaged");
    size_t count = std::min<uint64_t>({data.size(), left_, 100'001});
    for (size_t i = 0; i < count; ++i) data[i] = static_cast<std::byte>(given_++ * 31);
    left_ -= count;
    return count;
  }

 private:
  uint64_t left_;
  uint64_t given_ = 0;
  bool fails_;
};

Result<uint64_t> take_all(ByteSource& source) {
  uint64_t taken = 0;
  while (true) {
    auto piece = TRY(source.next());
    if (piece.empty()) return taken;
    for (std::byte value : piece) {
      if (value != static_cast<std::byte>(taken++ * 31)) return fail(EILSEQ, "take");
    }
  }
}

TEST(PipelinedSourceTest, everythingComesInOrder) {
  const uint64_t sizes[] = {0,
                            1,
                            pipeline_block_bytes - 1,
                            pipeline_block_bytes,
                            pipeline_block_bytes + 1,
                            20 * pipeline_block_bytes + 17};
  for (uint64_t bytes : sizes) {
    auto source = PipelinedSource::start(std::make_unique<CountingReader>(bytes, false));
    ASSERT_TRUE(source.has_value());
    auto taken = take_all(**source);
    ASSERT_TRUE(taken.has_value());
    EXPECT_EQ(*taken, bytes);
    EXPECT_TRUE((*source)->next()->empty());
  }
}

TEST(PipelinedSourceTest, anErrorComesAfterWhatWasWholeBeforeIt) {
  auto source =
      PipelinedSource::start(std::make_unique<CountingReader>(3 * pipeline_block_bytes, true));
  ASSERT_TRUE(source.has_value());
  auto taken = take_all(**source);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().code, EBADMSG);
  EXPECT_EQ(*taken.error().subject, "damaged");
  EXPECT_FALSE((*source)->next().has_value());
}

TEST(PipelinedSourceTest, whoLeavesEarlyStopsTheReader) {
  for (int pieces = 0; pieces < 3; ++pieces) {
    auto source = PipelinedSource::start(std::make_unique<CountingReader>(UINT64_MAX, false));
    ASSERT_TRUE(source.has_value());
    for (int i = 0; i < pieces; ++i) ASSERT_TRUE((*source)->next().has_value());
  }
}

}  // namespace
}  // namespace lyr::image
