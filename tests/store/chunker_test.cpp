// SPDX-License-Identifier: Apache-2.0
// Where content is cut: the same places for ever, whatever stands before, and within bounds.
#include "store/chunker.h"

#include <xxhash.h>

#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

std::vector<uint64_t> chunks_of(std::string_view content, const ChunkRule& rule) {
  auto rest = std::as_bytes(std::span(content));
  std::vector<uint64_t> chunks;
  while (!rest.empty()) {
    chunks.push_back(first_chunk(rest, rule));
    rest = rest.subspan(chunks.back());
  }
  return chunks;
}

// What is in stores today was cut so: with other cuts a new image would share nothing with it.
TEST(Chunker, TheStoresCutsNeverChange) {
  std::string content = content_of(8 << 20, 1);
  auto rest = std::as_bytes(std::span(content));
  std::vector<uint64_t> chunks;
  while (!rest.empty()) {
    chunks.push_back(first_chunk(rest));
    rest = rest.subspan(chunks.back());
  }
  EXPECT_EQ(std::vector(chunks.begin(), chunks.begin() + 3),
            (std::vector<uint64_t>{68228, 55040, 99317}));
  EXPECT_EQ(chunks.size(), 120);
  EXPECT_EQ(XXH3_64bits(chunks.data(), chunks.size() * 8), 0xe53b6a3807cb9876);
  EXPECT_EQ(chunks, chunks_of(content, chunk_rule(chunk_bytes_average)));
}

TEST(Chunker, EveryAverageIsKept) {
  std::string content = content_of(16 << 20, 3);
  for (size_t average : {4096, 8192, 16384, 65536, 262144}) {
    ChunkRule rule = chunk_rule(average);
    auto chunks = chunks_of(content, rule);
    for (size_t i = 0; i + 1 < chunks.size(); ++i) {
      EXPECT_GE(chunks[i], rule.bytes_min);
      EXPECT_LE(chunks[i], rule.bytes_max);
    }
    size_t mean = content.size() / chunks.size();
    EXPECT_GT(mean, average * 3 / 4) << average;
    EXPECT_LT(mean, average * 5 / 4) << average;
  }
}

TEST(Chunker, CutsComeBackAfterAnInsertion) {
  std::string content = content_of(4 << 20, 5);
  std::string changed = content_of(1000, 6) + content;
  ChunkRule rule = chunk_rule(16 << 10);
  auto before = chunks_of(content, rule);
  auto after = chunks_of(changed, rule);
  size_t same = 0;
  while (same < before.size() && same < after.size() &&
         before[before.size() - 1 - same] == after[after.size() - 1 - same]) {
    ++same;
  }
  EXPECT_GT(same, before.size() * 9 / 10);
}

}  // namespace
}  // namespace lyr::store
