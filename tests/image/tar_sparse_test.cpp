// SPDX-License-Identifier: Apache-2.0
#include "image/tar_sparse.h"

#include <gtest/gtest.h>

#include "image/tar_reader.h"
#include "tests/image/tar_maker.h"

namespace lyr::image {
namespace {

// The first entry of `tar`, or why there is none.
Result<TarEntry> first_entry(const std::string& tar) {
  MemorySource source(bytes_of(tar));
  TarReader reader(source);
  const TarEntry* entry = TRY(reader.next());
  if (entry == nullptr) return fail(ENOENT, "next");
  return *entry;
}

std::string sparse_pax(const std::string& more) {
  return pax_record("GNU.sparse.name", "real") + pax_record("GNU.sparse.realsize", "100000") + more;
}

std::string version_1() {
  return pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.minor", "0");
}

void put_segment(std::string& block, size_t at, uint64_t offset, uint64_t length) {
  block.replace(at, 12, octal(offset, 11) + '\0');
  block.replace(at + 12, 12, octal(length, 11) + '\0');
}

std::string old_sparse(uint64_t real_size, bool extended) {
  std::string block =
      header({.name = "old", .type = 'S', .size = 8, .magic = std::string("ustar  \0", 8)});
  put_segment(block, 386, 0, 5);
  put_segment(block, 410, 8192, 3);
  block[482] = extended ? '\1' : '\0';
  block.replace(483, 12, octal(real_size, 11) + '\0');
  seal(block);
  return block;
}

const std::vector<SparseSegment> two_segments = {{0, 5}, {8192, 3}};

TEST(TarSparseTest, theFourFormsSayTheSame) {
  const std::string map = pax_record("GNU.sparse.numblocks", "2");
  const std::string in_records =
      map + pax_record("GNU.sparse.offset", "0") + pax_record("GNU.sparse.numbytes", "5") +
      pax_record("GNU.sparse.offset", "8192") + pax_record("GNU.sparse.numbytes", "3");
  const std::string content = padded("hello123");
  const std::string in_content = padded("2\n0\n5\n8192\n3\n") + content;
  const std::string tars[] = {
      old_sparse(100000, false) + content,
      extension('x', sparse_pax(in_records)) + header({.size = 8}) + content,
      extension('x', sparse_pax(map + pax_record("GNU.sparse.map", "0,5,8192,3"))) +
          header({.size = 8}) + content,
      extension('x', sparse_pax(version_1())) + header({.size = 520}) + in_content,
  };
  for (const std::string& tar : tars) {
    auto entry = first_entry(tar + end_of_tar());
    ASSERT_TRUE(entry.has_value()) << describe(entry.error());
    EXPECT_TRUE(entry->sparse);
    EXPECT_EQ(entry->size, 100000u);
    EXPECT_EQ(entry->stored_bytes, 8u);
    EXPECT_EQ(entry->segments, two_segments);
  }
}

TEST(TarSparseTest, aMapThatCannotBeIsRefused) {
  auto with_map = [](const std::string& map) {
    return extension('x', sparse_pax(pax_record("GNU.sparse.map", map))) + header({.size = 8}) +
           padded("hello123") + end_of_tar();
  };
  auto with_content = [](const std::string& map) {
    std::string content = padded(map) + padded("hello123");
    return extension('x', sparse_pax(version_1())) + header({.size = content.size() - 504}) +
           content + end_of_tar();
  };
  std::string endless = "1000\n";
  while (endless.size() < 512) endless += "11\n";
  const std::pair<const char*, std::string> table[] = {
      {"overlap", with_map("8192,5,0,3")},
      {"overlap", with_map("0,5,4,3")},
      {"overlap", with_map("0,5,99999,3")},
      {"overlap", with_map("0,5,9223372036854775807,3")},
      {"does not fit", with_map("0,5")},
      {"without a length", with_map("0,5,9")},
      {"not a number", with_map("0,5,x,3")},
      {"empty", with_map("0,5,,3")},
      {"out of range", with_map("0,99999999999999999999")},
      {"too many", with_content("9999999999\n")},
      {"too long", with_content(std::string(30, '1') + "\n")},
      {"not a number", with_content("2\n0\nfive\n8192\n3\n")},
      {"cut off", extension('x', sparse_pax(version_1())) + header({.size = 512}) + endless},
      {"goes on after its end", old_sparse(100000, true) + std::string(504, '\0') + '\1' +
                                    std::string(7, '\0') + padded("hello123")},
      {"ends early", old_sparse(100000, true)},
      {"overlap", old_sparse(8000, false) + padded("hello123")},
      {"no file size", extension('x', pax_record("GNU.sparse.map", "0,5")) + file("f", "hello")},
      {"not known",
       extension('x', sparse_pax(pax_record("GNU.sparse.major", "2"))) + file("f", "hello")},
      {"not known", extension('x', pax_record("GNU.sparse.colour", "1")) + file("f", "hello")},
      {"without a length",
       extension('x', sparse_pax(pax_record("GNU.sparse.offset", "1"))) + file("f", "hello")},
      {"without an offset",
       extension('x', sparse_pax(pax_record("GNU.sparse.numbytes", "1"))) + file("f", "hello")},
      {"segments it says", extension('x', sparse_pax(pax_record("GNU.sparse.numblocks", "3") +
                                                     pax_record("GNU.sparse.map", "0,5"))) +
                               file("f", "hello")},
      {"too large", extension('x', pax_record("GNU.sparse.size", "9223372036854775807") +
                                       pax_record("GNU.sparse.map", "0,5")) +
                        file("f", "hello")},
  };
  for (const auto& [reason, tar] : table) {
    auto entry = first_entry(tar);
    ASSERT_FALSE(entry.has_value()) << reason;
    ASSERT_NE(entry.error().subject, nullptr);
    EXPECT_NE(entry.error().subject->find(reason), std::string::npos) << *entry.error().subject;
  }
}

TEST(TarSparseTest, storedExtentsAreSpreadOverTheSegments) {
  constexpr uint32_t first = 1;
  constexpr uint32_t second = 2;
  // 100 stored bytes: an object of 40, a hole of 20, an object of 40.
  const store::LayerExtent stored[] = {{0, 40, 0, first}, {60, 40, 7, second}};
  const std::vector<SparseSegment> segments = {{0, 10}, {1000, 0}, {1000, 60}, {5000, 30}};
  auto extents = spread(segments, stored);
  const store::LayerExtent expected[] = {
      {0, 10, 0, first}, {1000, 30, 10, first}, {1050, 10, 7, second}, {5000, 30, 17, second}};
  ASSERT_EQ(extents.size(), std::size(expected));
  for (size_t i = 0; i < extents.size(); ++i) {
    EXPECT_EQ(extents[i].file_offset, expected[i].file_offset) << i;
    EXPECT_EQ(extents[i].length, expected[i].length) << i;
    EXPECT_EQ(extents[i].object_offset, expected[i].object_offset) << i;
    EXPECT_EQ(extents[i].object, expected[i].object) << i;
  }
}

}  // namespace
}  // namespace lyr::image
