// SPDX-License-Identifier: Apache-2.0
// Schemes side by side: what each keeps of sets small enough to count by hand, that it does not
// matter how content comes, and that vectors cut where single bytes do.
#include <random>

#include "store/analyze/analysis.h"
#include "store/analyze/vram.h"
#include "store/stats.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

constexpr size_t kib = 1024;

using Files = std::vector<std::string>;

std::vector<const Scheme*> every_scheme() {
  std::vector<const Scheme*> schemes;
  for (const Scheme& scheme : all_schemes()) schemes.push_back(&scheme);
  return schemes;
}

void feed(Analysis& analysis, const Files& files, uint64_t times = 1, size_t piece_bytes = 300000) {
  analysis.begin_layer(times);
  FingerprintStream name;
  for (const std::string& file : files) {
    analysis.begin_file(file.size());
    auto rest = std::as_bytes(std::span(file));
    name.update(rest);
    while (!rest.empty()) {
      auto piece = rest.first(std::min(rest.size(), piece_bytes));
      analysis.file_bytes(piece);
      rest = rest.subspan(piece.size());
    }
  }
  analysis.end_layer(name.finish());
}

AnalysisResult analyzed(const std::vector<Files>& layers, size_t piece_bytes = 300000,
                        bool compress = false) {
  auto schemes = every_scheme();
  Analysis analysis(schemes, compress);
  for (const Files& files : layers) feed(analysis, files, 1, piece_bytes);
  return analysis.finish();
}

const SchemeResult& of(const AnalysisResult& result, std::string_view name) {
  for (const SchemeResult& scheme : result.schemes) {
    if (name == scheme.scheme->name) return scheme;
  }
  ADD_FAILURE() << name;
  return result.schemes.front();
}

// All that does not depend on the clock.
std::string report_of(const AnalysisResult& result) {
  std::string text = std::to_string(result.files) + " " + std::to_string(result.content_bytes);
  for (const SchemeResult& scheme : result.schemes) {
    text += std::string("\n") + scheme.scheme->name;
    for (uint64_t number : {scheme.chunks, scheme.unique_chunks, scheme.unique_bytes,
                            scheme.hole_bytes, scheme.compressed_bytes.value_or(0)}) {
      text += " " + std::to_string(number);
    }
    for (const SizeClass& sizes : scheme.sizes) {
      text += "," + std::to_string(sizes.chunks) + ":" + std::to_string(sizes.bytes);
    }
  }
  return text;
}

// A block of 64 KiB that two files share at different places: 0 and 64 KiB in one, 64 KiB + 4 KiB
// in the other. Block schemes find it where the distance is a multiple of their block.
TEST(Analyze, TwoFilesThatShareABlock) {
  std::string block = content_of(64 * kib, 1);
  std::string small = content_of(4 * kib, 2);
  Files files{block + block, small + block};
  auto result = analyzed({files});
  EXPECT_EQ(result.files, 2);
  EXPECT_EQ(result.content_bytes, 196 * kib);
  EXPECT_EQ(of(result, "layer").unique_bytes, 196 * kib);
  EXPECT_EQ(of(result, "file").unique_bytes, 196 * kib);
  // The first file's second half repeats its first; the other's blocks are those 16, and `small`.
  EXPECT_EQ(of(result, "fixed-4k").unique_bytes, 68 * kib);
  EXPECT_EQ(of(result, "fixed-4k").chunks, 32 + 17);
  EXPECT_EQ(of(result, "fixed-4k").unique_chunks, 17);
  // Shifted by a quarter of a block: 4 blocks of the first, and 5 (the last of 4 KiB) of the other.
  EXPECT_EQ(of(result, "fixed-16k").unique_bytes, 64 * kib + 68 * kib);
  EXPECT_EQ(of(result, "fixed-16k").unique_chunks, 4 + 5);
  // The last block of the other file is the end of `block`, which no block of the first is.
  EXPECT_EQ(of(result, "fixed-64k").unique_bytes, 64 * kib + 68 * kib);
  EXPECT_EQ(of(result, "fixed-1m").unique_bytes, 196 * kib);
  EXPECT_EQ(of(result, "fixed-64k").index_bytes(), (3 * 320 + 6) / 7);
  // Both files are at most 128 KiB, so whole to lyr.
  EXPECT_EQ(of(result, "lyr").unique_bytes, 196 * kib);
  EXPECT_EQ(of(result, "lyr").unique_chunks, 2);
  // Cuts depend on content, so of three times `block` at most the ends are kept more than once.
  EXPECT_LT(of(result, "fastcdc-8k").unique_bytes, 140 * kib);
}

TEST(Analyze, WholeLayersAndFilesAreKnownAgain) {
  Files one{content_of(1000, 1), content_of(3 << 20, 2), ""};
  Files other{content_of(1000, 3), content_of(1000, 1)};
  auto result = analyzed({one, other, one});
  uint64_t bytes = 1000 + (3 << 20);
  EXPECT_EQ(result.layers, 3);
  EXPECT_EQ(result.files, 6) << "an empty one is none";
  EXPECT_EQ(result.content_bytes, 2 * bytes + 2000);
  EXPECT_EQ(of(result, "layer").unique_bytes, bytes + 2000);
  EXPECT_EQ(of(result, "layer").chunks, 3);
  EXPECT_EQ(of(result, "file").unique_bytes, bytes + 1000);
  EXPECT_EQ(of(result, "file").unique_chunks, 3);
  EXPECT_NEAR(result.ratio(of(result, "file")), 2.0, 0.001);
}

TEST(Analyze, LyrKeepsNoZeros) {
  std::string zeros(1 << 20, '\0');
  auto result = analyzed({{zeros, std::string(100, '\0'), content_of(100, 1)}});
  EXPECT_EQ(of(result, "lyr").hole_bytes, (1 << 20) + 100);
  EXPECT_EQ(of(result, "lyr").unique_bytes, 100);
  EXPECT_EQ(of(result, "lyr").chunks, 1);
  // Others keep one chunk of zeros for each length.
  EXPECT_EQ(of(result, "fixed-64k").unique_bytes, 64 * kib + 200);
  EXPECT_EQ(of(result, "fixed-64k").hole_bytes, 0);
}

// The rule here and the store's import are two programs; they must agree to the byte.
class AnalyzeStore : public StoreTest {};

TEST_F(AnalyzeStore, LyrsRuleIsWhatTheStoreKeeps) {
  Files files{content_of(50, 1), content_of(128 * kib, 2), content_of(128 * kib + 1, 3),
              content_of(5 << 20, 4), std::string(700 * kib, '\0') + content_of(1 << 20, 4)};
  SampleLayer layer;
  for (size_t i = 0; i < files.size(); ++i) layer.file("f" + std::to_string(i), files[i]);
  load(layer);
  auto stats = must(store().stats());
  auto result = analyzed({files});
  EXPECT_EQ(of(result, "lyr").unique_bytes, stats.object_bytes());
  EXPECT_EQ(of(result, "lyr").unique_chunks, stats.object_count());
  EXPECT_EQ(of(result, "lyr").chunks, stats.references);
}

TEST(Analyze, HowContentComesDoesNotMatter) {
  std::mt19937 random(1);
  std::vector<Files> layers(2);
  for (Files& files : layers) {
    files.push_back(content_of(3 << 20, 100));
    for (int i = 0; i < 20; ++i) {
      size_t bytes = random() % 5 == 0 ? random() % (1 << 20) : random() % 50000;
      files.push_back(content_of(bytes, random() % 30));
    }
  }
  std::string whole = report_of(analyzed(layers, SIZE_MAX, true));
  EXPECT_EQ(report_of(analyzed(layers, 100003, true)), whole);

  // A scheme alone keeps what it keeps beside others: they share one buffer.
  whole = report_of(analyzed(layers));
  EXPECT_EQ(report_of(analyzed(layers, 4096)), whole);
  for (const Scheme& scheme : all_schemes()) {
    const Scheme* alone = &scheme;
    Analysis analysis({&alone, 1}, false);
    for (const Files& files : layers) feed(analysis, files);
    std::string text = report_of(analysis.finish());
    EXPECT_NE(whole.find(text.substr(text.find('\n'))), std::string::npos) << scheme.name;
  }
}

TEST(Analyze, ALayerReadOnceCountsAsOftenAsItOccurs) {
  Files one{content_of(300 * kib, 1), content_of(1000, 2), std::string(64 * kib, '\0')};
  Files other{content_of(300 * kib, 1)};
  auto schemes = every_scheme();
  Analysis analysis(schemes, false);
  feed(analysis, one, 3);
  feed(analysis, other, 1);
  EXPECT_EQ(report_of(analysis.finish()), report_of(analyzed({one, one, one, other})));
}

TEST(Analyze, EveryByteIsInOneChunk) {
  Files files{content_of(7 << 20, 1), content_of(1, 2), content_of(128 * kib, 3)};
  auto result = analyzed({files});
  for (const SchemeResult& scheme : result.schemes) {
    uint64_t bytes = scheme.hole_bytes, chunks = 0;
    for (size_t i = 0; i < size_classes; ++i) {
      bytes += scheme.sizes[i].bytes;
      chunks += scheme.sizes[i].chunks;
      EXPECT_GE(scheme.sizes[i].bytes, scheme.sizes[i].chunks << i);
    }
    EXPECT_EQ(bytes, result.content_bytes) << scheme.scheme->name;
    EXPECT_EQ(chunks, scheme.chunks) << scheme.scheme->name;
  }
}

TEST(Analyze, CompressedUnitsAreNeverLargerThanTheyWere) {
  std::string text;
  while (text.size() < 300 * kib) text += "the same again, " + std::to_string(text.size() % 7);
  auto result = analyzed({{content_of(100 * kib, 1), text}}, 300000, true);
  for (const SchemeResult& scheme : result.schemes) {
    EXPECT_LE(*scheme.compressed_bytes, scheme.unique_bytes) << scheme.scheme->name;
    EXPECT_GE(*scheme.compressed_bytes, 100 * kib) << scheme.scheme->name;
    EXPECT_LT(*scheme.compressed_bytes, 200 * kib) << scheme.scheme->name;
  }
}

TEST(Schemes, NamesAreFoundAndLimitsKept) {
  for (const Scheme& scheme : all_schemes()) {
    EXPECT_EQ(find_scheme(scheme.name), &scheme);
    EXPECT_EQ(scheme.next_cut != nullptr, scheme.unit == SchemeUnit::chunk) << scheme.name;
    EXPECT_LE(scheme.chunk_bytes_max, scheme_chunk_bytes_max) << scheme.name;
    EXPECT_LE(scheme.whole_file_bytes_max, scheme.chunk_bytes_max) << scheme.name;
  }
  EXPECT_EQ(find_scheme("rabin"), nullptr);
}

// The definition once more, as plainly as it can be said.
size_t ram_cut(std::string_view data, const VramRule& rule) {
  size_t size = std::min(data.size(), rule.bytes_max);
  unsigned most = 0;
  for (size_t i = 0; i < size; ++i) {
    auto byte = static_cast<unsigned char>(data[i]);
    if (i >= rule.window_bytes && byte >= most) return i + 1;
    if (i < rule.window_bytes) most = std::max<unsigned>(most, byte);
  }
  return size;
}

TEST(Vram, VectorsCutWhereBytesDo) {
  if (!vram_has_vectors()) GTEST_SKIP() << "this processor has no AVX2";
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    VramRule rule{1 + random() % 700, 0};
    rule.bytes_max = rule.window_bytes + random() % 2000;
    std::string data(random() % 3000, '\0');
    // Few values, or low ones: the greatest then comes again soon, late, or never.
    unsigned values = 1 + random() % 256;
    for (char& byte : data) byte = static_cast<char>(random() % values);
    if (random() % 4 == 0 && !data.empty()) data[random() % data.size()] = '\xff';
    auto bytes = std::as_bytes(std::span(data));
    size_t expected = ram_cut(data, rule);
    EXPECT_EQ(vram_first_chunk_by_byte(bytes, rule), expected);
    EXPECT_EQ(vram_first_chunk_by_vector(bytes, rule), expected);
  }
}

TEST(Fingerprints, ASetKnowsWhatItHas) {
  FingerprintSet set;
  EXPECT_TRUE(set.insert({0, 0}));
  EXPECT_FALSE(set.insert({0, 0}));
  // Even those that are the same in their first half, which is where they are looked for.
  auto of = [](uint64_t i) { return Fingerprint{i < 1000 ? 7 : i * 0x9e3779b97f4a7c15u, i}; };
  for (uint64_t i = 1; i < 100000; ++i) EXPECT_TRUE(set.insert(of(i)));
  for (uint64_t i = 1; i < 100000; i += 97) EXPECT_FALSE(set.insert(of(i)));
  EXPECT_EQ(set.size(), 100000);
}

}  // namespace
}  // namespace lyr::store
