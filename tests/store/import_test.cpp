// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <thread>

#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

class ImportTest : public StoreTest {};

TEST_F(ImportTest, GivesBackTheTarByteForByte) {
  SampleLayer sample;
  sample.file("empty", "");
  sample.file("small", content_of(100, 1));
  sample.file("zeros", std::string(50000, '\0'));
  sample.file("whole", content_of(whole_file_bytes_max, 2));
  sample.file("chunked", content_of(3 << 20, 3));
  sample.file("holes", content_of(300000, 4) + std::string(1 << 20, '\0') + content_of(10, 5));
  Digest id = load(sample);
  EXPECT_EQ(tar_of(id), sample.tar());
  EXPECT_EQ(tar_of(id), sample.tar());  // from what is known to be whole
  reopen();
  EXPECT_EQ(tar_of(id), sample.tar());
}

TEST_F(ImportTest, ReadsFilesAtAnyOffset) {
  SampleLayer sample;
  std::string content = content_of(700000, 1) + std::string(600000, '\0') + content_of(300000, 2);
  sample.file("big", content);
  load(sample);
  Tree tree = must(store().open_layer_tree(sample.diff_id()));
  Ino ino = tree.lookup(root_ino, "big");
  for (uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{65535}, uint64_t{699999},
                          uint64_t{700000}, uint64_t{1299990}, uint64_t{1599999}}) {
    for (size_t size : {size_t{1}, size_t{4096}, size_t{300001}, content.size()}) {
      std::string got(size, 'x');
      auto bytes = std::as_writable_bytes(std::span(got));
      size_t count = must(store().read_file(tree, ino, offset, bytes));
      ASSERT_EQ(count, std::min<uint64_t>(size, content.size() - offset));
      EXPECT_TRUE(got.substr(0, count) == content.substr(offset, count)) << offset << " " << size;
    }
  }
  std::byte byte;
  EXPECT_EQ(must(store().read_file(tree, ino, content.size(), std::span(&byte, 1))), 0u);
  EXPECT_EQ(must(store().read_file(tree, ino, UINT64_MAX, std::span(&byte, 1))), 0u);
}

TEST_F(ImportTest, ZerosAreHoles) {
  SampleLayer sample;
  sample.file("zeros", std::string(1 << 20, '\0'));
  load(sample);
  Tree tree = must(store().open_layer_tree(sample.diff_id()));
  Ino ino = tree.lookup(root_ino, "zeros");
  EXPECT_EQ(tree.extent_count(ino), 0u);
  EXPECT_EQ(tree.attr(ino).size, 1u << 20);
  EXPECT_EQ(pack_bytes(), 0u);
}

TEST_F(ImportTest, EqualContentIsStoredOnce) {
  SampleLayer first;
  std::string big = content_of(5 << 20, 1);
  first.file("a", content_of(1000, 7));
  first.file("b", content_of(1000, 7));
  first.file("big", big);
  load(first);
  uint64_t before = pack_bytes();
  EXPECT_LT(before, big.size() + 250000);  // payloads are aligned

  SampleLayer second;
  second.file("other/name", content_of(1000, 7));
  second.file("big", content_of(10, 9) + big);  // the same bytes elsewhere: cut at the same places
  load(second);
  EXPECT_LT(pack_bytes() - before, 600000u);
  EXPECT_EQ(tar_of(second.diff_id()), second.tar());
}

TEST_F(ImportTest, ALayerThatIsHereNeedsNoReading) {
  SampleLayer sample;
  sample.file("a", content_of(1000, 1));
  load(sample);
  Import import = must(store().begin_import());
  EXPECT_TRUE(must(import.has_layer(sample.diff_id())));
  EXPECT_FALSE(must(import.has_layer(Digest::of("none"))));
  must(import.commit(std::vector{image_of({sample.diff_id()})}, {}));
  EXPECT_EQ(must(store().images()).size(), 1u);
}

TEST_F(ImportTest, AWrongDiffIdIsRefusedAndNothingIsKept) {
  SampleLayer sample;
  sample.file("a", content_of(200000, 1));
  {
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    sample.feed(layer);
    LayerRecord record = sample.record();
    record.diff_id = Digest::of("another");
    auto finished = layer.finish(record);
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code, EBADMSG);
  }
  EXPECT_EQ(files(), "");
}

TEST_F(ImportTest, WithoutCommitNothingIsVisibleAndNothingIsKept) {
  SampleLayer sample;
  sample.file("a", content_of(5 << 20, 1));
  {
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    sample.feed(layer);
    must(layer.finish(sample.record()));
    EXPECT_TRUE(must(import.has_layer(sample.diff_id())));
  }
  EXPECT_FALSE(must(store().layer(sample.diff_id())).has_value());
  EXPECT_EQ(files(), "");
}

TEST_F(ImportTest, AnImageNeedsItsLayers) {
  Import import = must(store().begin_import());
  auto committed = import.commit(std::vector{image_of({Digest::of("none")})}, {});
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ENOENT);
  EXPECT_TRUE(must(store().images()).empty());
}

TEST_F(ImportTest, AFileHasTheSizeItSaid) {
  Import import = must(store().begin_import());
  LayerImport layer = must(import.begin_layer());
  must(layer.begin_file(10));
  must(layer.file_bytes(std::as_bytes(std::span(std::string_view("12345")))));
  auto ended = layer.end_file();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, EINVAL);
  must(layer.begin_file(3));
  auto longer = layer.file_bytes(std::as_bytes(std::span(std::string_view("12345"))));
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, EINVAL);
}

TEST_F(ImportTest, ContentMayComeInPiecesOfAnySize) {
  std::string content = content_of(1 << 20, 3);
  for (size_t piece : {size_t{1} << 20, size_t{4097}, size_t{262145}}) {
    SampleLayer sample;
    sample.file("f", content);
    Import import = must(store().begin_import());
    LayerImport layer = must(import.begin_layer());
    sample.feed(layer, piece);
    must(layer.finish(sample.record()));
    must(import.commit({}, {}));
  }
  EXPECT_LT(pack_bytes(), content.size() + 200000);  // cut at the same places
}

TEST_F(ImportTest, LayersOfOneImportMayBeWrittenByThreads) {
  std::vector<SampleLayer> samples(4);
  for (unsigned i = 0; i < samples.size(); ++i) {
    for (unsigned k = 0; k < 50; ++k) {
      samples[i].file(std::to_string(k), content_of(1000 * k, k % 2 == 0 ? k : 100 * i + k));
    }
  }
  Import import = must(store().begin_import());
  {
    std::vector<std::jthread> threads;
    for (SampleLayer& sample : samples) {
      threads.emplace_back([&] {
        LayerImport layer = must(import.begin_layer());
        sample.feed(layer);
        must(layer.finish(sample.record()));
      });
    }
  }
  must(import.commit({}, {}));
  for (SampleLayer& sample : samples) EXPECT_EQ(tar_of(sample.diff_id()), sample.tar());
}

TEST_F(ImportTest, TwoImportsRunSideBySide) {
  SampleLayer one;
  one.file("one", content_of(500000, 1));
  SampleLayer two;
  two.file("two", content_of(500000, 2));
  two.file("shared", content_of(500000, 1));
  Store other = must(Store::open(path()));
  Import first = must(store().begin_import());
  Import second = must(other.begin_import());
  LayerImport first_layer = must(first.begin_layer());
  LayerImport second_layer = must(second.begin_layer());
  one.feed(first_layer);
  two.feed(second_layer);
  must(second_layer.finish(two.record()));
  must(second.commit({}, {}));
  must(first_layer.finish(one.record()));
  must(first.commit({}, {}));
  EXPECT_EQ(tar_of(one.diff_id()), one.tar());
  EXPECT_EQ(tar_of(two.diff_id()), two.tar());
}

TEST_F(ImportTest, MergesTheImagesTreeAndCountsItsContent) {
  SampleLayer low;
  low.file("a", content_of(1000, 1));
  low.file("b", content_of(2000, 2));
  SampleLayer high;
  high.whiteout("a");
  high.file("c", content_of(4000, 3));
  load(low);
  load(high);
  ImageRecord image = image_of({low.diff_id(), high.diff_id()});
  Import import = must(store().begin_import());
  must(import.commit(std::vector{image}, {}));
  Tree tree = must(store().open_image_tree(image.chain_id));
  EXPECT_EQ(names_of(tree), (std::vector<std::string>{"/b", "/c"}));
  EXPECT_EQ(must(store().image(image.id))->content_bytes, 6000u);
}

// A supervisor is forked from whoever opened the store.
TEST_F(ImportTest, AForkedChildReadsOn) {
  SampleLayer sample;
  sample.file("a", content_of(200000, 1));
  load(sample);
  auto child = must(sys::spawn([&] {
    bool same = tar_of(sample.diff_id()) == sample.tar();
    auto record = store().layer(sample.diff_id());
    return same && record && record->has_value() ? 0 : 1;
  }));
  auto ending = must(sys::wait_pidfd(child.pidfd));
  EXPECT_EQ(ending->shell_code(), 0);
  EXPECT_TRUE(must(store().layer(sample.diff_id())).has_value());
}

}  // namespace
}  // namespace lyr::store
