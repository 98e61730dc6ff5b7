// SPDX-License-Identifier: Apache-2.0
// What TarWriter writes, TarReader reads; the system's tar, skopeo and podman judge it end to end.
#include "image/tar_writer.h"

#include <gtest/gtest.h>

#include "image/tar_reader.h"
#include "tests/image/tar_maker.h"

namespace lyr::image {
namespace {

class Collected {
 public:
  store::ByteSink sink() {
    return [this](std::span<const std::byte> piece) -> Result<> {
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      largest = std::max(largest, piece.size());
      ++pieces;
      return {};
    };
  }
  std::string text;
  size_t largest = 0;
  size_t pieces = 0;
};

TEST(TarWriter, WritesWhatTheReaderReads) {
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  std::string long_name = std::string(90, 'd') + "/" + std::string(200, 'n');
  ASSERT_TRUE(writer.directory("blobs/"));
  ASSERT_TRUE(writer.file("blobs/a", "content"));
  ASSERT_TRUE(writer.file("empty", ""));
  ASSERT_TRUE(writer.file(long_name, std::string(512, 'x')));
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(out.text.size() % tar_block_bytes, 0u);
  EXPECT_EQ(out.pieces, 1u);

  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  std::vector<std::string> names;
  while (true) {
    auto entry = reader.next();
    ASSERT_TRUE(entry) << describe(entry.error());
    if (*entry == nullptr) break;
    names.push_back((*entry)->path + " " + std::to_string((*entry)->size));
    EXPECT_EQ((*entry)->attr.mtime_seconds, 0);
    EXPECT_EQ((*entry)->attr.uid, 0u);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"blobs 0", "blobs/a 7", "empty 0", long_name + " 512"}));
  EXPECT_TRUE(reader.has_end_marker());
}

TarEntry odd_entry(TarType type) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::string(150, 'p');
  entry.attr = {.mode = 04751,
                .uid = 3'000'000,
                .gid = 4'000'000'000,
                .mtime_seconds = -2,
                .mtime_nanoseconds = 250'000'000,
                .xattrs = {{"user.a", std::string("b\0\n=", 4)}, {"user.b", ""}}};
  bool link = type == TarType::symlink || type == TarType::hard_link;
  if (link) entry.link_target = std::string(120, 't');
  bool device = type == TarType::block_device || type == TarType::character_device;
  if (device) entry.device_major = 4095;
  if (device) entry.device_minor = 1'048'575;
  return entry;
}

// Each kind, with what no ustar header can hold.
TEST(TarWriter, EntriesAreReadAsTheyWere) {
  constexpr TarType types[] = {TarType::file,         TarType::hard_link, TarType::symlink,
                               TarType::block_device, TarType::directory, TarType::character_device,
                               TarType::fifo};
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  for (TarType type : types) {
    ASSERT_TRUE(writer.begin(odd_entry(type)));
    ASSERT_TRUE(writer.end_file());
  }
  ASSERT_TRUE(writer.finish());
  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  for (TarType type : types) {
    auto entry = reader.next();
    ASSERT_TRUE(entry) << describe(entry.error());
    TarEntry want = odd_entry(type);
    EXPECT_EQ((*entry)->type, type);
    EXPECT_EQ((*entry)->path, want.path);
    EXPECT_EQ((*entry)->link_target, want.link_target);
    EXPECT_EQ((*entry)->attr.mode, want.attr.mode);
    EXPECT_EQ((*entry)->attr.uid, want.attr.uid);
    EXPECT_EQ((*entry)->attr.gid, want.attr.gid);
    EXPECT_EQ((*entry)->attr.mtime_seconds, want.attr.mtime_seconds);
    EXPECT_EQ((*entry)->attr.mtime_nanoseconds, want.attr.mtime_nanoseconds);
    EXPECT_EQ((*entry)->attr.xattrs, want.attr.xattrs);
    EXPECT_EQ((*entry)->device_major, want.device_major);
    EXPECT_EQ((*entry)->device_minor, want.device_minor);
  }
}

TEST(TarWriter, NamesOfAttributesMayHoldAnEqualsSign) {
  const std::vector<std::pair<std::string, std::string>> xattrs = {
      {"user.a", "plain"},           {"user.a=b", "one"},         {"user.=", ""},
      {"user.%3d=\xff\n c", "four"}, {"user.b=", "\xff\xfe\xfd"}, {"user.c=d=e", "fifth"}};
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  TarEntry entry;
  entry.path = "f";
  entry.attr.xattrs = xattrs;
  ASSERT_TRUE(writer.begin(entry));
  ASSERT_TRUE(writer.finish());
  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  auto read = reader.next();
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ((*read)->attr.xattrs, xattrs);
}

TEST(TarWriter, TimesAreExact) {
  const std::pair<int64_t, uint32_t> times[] = {{0, 1},
                                                {-1, 999'999'999},
                                                {-1, 0},
                                                {-1, 1},
                                                {1, 10},
                                                {-7, 5},
                                                {8'589'934'592, 0},
                                                {8'589'934'591, 100'000'000}};
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  for (auto [seconds, nanoseconds] : times) {
    TarEntry entry;
    entry.path = "f";
    entry.attr.mtime_seconds = seconds;
    entry.attr.mtime_nanoseconds = nanoseconds;
    ASSERT_TRUE(writer.begin(entry));
  }
  ASSERT_TRUE(writer.finish());
  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  for (auto [seconds, nanoseconds] : times) {
    auto entry = reader.next();
    ASSERT_TRUE(entry);
    EXPECT_EQ((*entry)->attr.mtime_seconds, seconds);
    EXPECT_EQ((*entry)->attr.mtime_nanoseconds, nanoseconds) << seconds;
  }
}

TEST(TarWriter, OfASparseFileOnlyTheDataIsThere) {
  constexpr uint64_t size = uint64_t{10} << 40;
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  TarEntry entry = odd_entry(TarType::file);
  entry.path += "/file";
  entry.size = size;
  entry.sparse = true;
  entry.segments = {{0, 3}, {uint64_t{1} << 40, 600}, {size, 0}};
  entry.stored_bytes = 603;
  ASSERT_TRUE(writer.begin(entry));
  ASSERT_TRUE(writer.write(bytes_of("one" + std::string(600, 'x'))));
  ASSERT_TRUE(writer.end_file());
  ASSERT_TRUE(writer.file("after", "it"));
  ASSERT_TRUE(writer.finish());
  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  auto read = reader.next();
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ((*read)->path, entry.path);
  EXPECT_EQ((*read)->size, size);
  EXPECT_TRUE((*read)->sparse);
  EXPECT_EQ((*read)->segments, entry.segments);
  EXPECT_EQ((*read)->stored_bytes, 603u);
  EXPECT_EQ((*read)->attr.xattrs, entry.attr.xattrs);
  std::string content;
  while (true) {
    auto piece = reader.payload();
    ASSERT_TRUE(piece) << describe(piece.error());
    if (piece->empty()) break;
    content.append(reinterpret_cast<const char*>(piece->data()), piece->size());
  }
  EXPECT_EQ(content, "one" + std::string(600, 'x'));
  read = reader.next();
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ((*read)->path, "after");
}

TEST(TarWriter, SizesPastEightGigabytesGoIntoAnExtendedHeader) {
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  constexpr uint64_t size = (uint64_t{1} << 33) + 5;
  ASSERT_TRUE(writer.begin_file("large", size));
  // The rest of the file is not written: what counts is its header, in the first block given out.
  ASSERT_TRUE(writer.write(bytes_of(std::string(tar_writer_block_bytes, 'x'))));
  MemorySource source(bytes_of(out.text));
  TarReader reader(source);
  auto entry = reader.next();
  ASSERT_TRUE(entry) << describe(entry.error());
  EXPECT_EQ((*entry)->path, "large");
  EXPECT_EQ((*entry)->size, size);
}

TEST(TarWriter, AFileHasTheSizeItSaid) {
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  ASSERT_TRUE(writer.begin_file("file", 3));
  auto more = writer.write(bytes_of("four"));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, EIO);
  ASSERT_TRUE(writer.write(bytes_of("tw")));
  auto ended = writer.end_file();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, EIO);
}

TEST(TarWriter, WritesLargeBlocksAndHandsErrorsOn) {
  Collected out;
  store::ByteSink sink = out.sink();
  TarWriter writer(sink);
  std::string piece(1000, 'x');
  ASSERT_TRUE(writer.begin_file("file", 5000 * piece.size()));
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(writer.write(bytes_of(piece)));
  ASSERT_TRUE(writer.end_file());
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(out.largest, tar_writer_block_bytes);
  EXPECT_EQ(out.pieces, out.text.size() / tar_writer_block_bytes + 1);

  store::ByteSink full = [](auto) -> Result<> { return fail(ENOSPC, "write"); };
  TarWriter unlucky(full);
  ASSERT_TRUE(unlucky.file("file", "x"));
  auto finished = unlucky.finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ENOSPC);
}

}  // namespace
}  // namespace lyr::image
