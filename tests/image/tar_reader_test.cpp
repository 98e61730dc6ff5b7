// SPDX-License-Identifier: Apache-2.0
#include "image/tar_reader.h"

#include <gtest/gtest.h>

#include "tests/image/tar_maker.h"

namespace lyr::image {
namespace {

struct ReadTar {
  std::vector<TarEntry> entries;
  std::vector<std::string> contents;
  std::string stream;  // raw bytes and payload in the order they came
  bool has_end_marker = false;
};

Result<ReadTar> read_tar(std::string_view tar, size_t piece_bytes = SIZE_MAX) {
  ReadTar read;
  auto append = [](std::string& to, std::span<const std::byte> data) {
    to.append(reinterpret_cast<const char*>(data.data()), data.size());
  };
  MemorySource source(bytes_of(tar), piece_bytes);
  TarReader reader(source, [&](std::span<const std::byte> data) -> Result<> {
    append(read.stream, data);
    return {};
  });
  while (true) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) break;
    read.entries.push_back(*entry);
    read.contents.emplace_back();
    while (true) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      append(read.contents.back(), piece);
      append(read.stream, piece);
    }
  }
  TRY(reader.finish());
  EXPECT_EQ(reader.offset(), tar.size());
  read.has_end_marker = reader.has_end_marker();
  return read;
}

// The reason why `tar` is refused; empty when it is not.
std::string refusal(const std::string& tar) {
  auto read = read_tar(tar);
  if (read) return "";
  EXPECT_EQ(read.error().code, EBADMSG);
  EXPECT_NE(read.error().subject, nullptr);
  return *read.error().subject;
}

TEST(TarReaderTest, everyByteComesOnceHoweverTheStreamIsCut) {
  std::string pax = pax_record("path", std::string(300, 'p')) + pax_record("mtime", "1.5");
  std::string tar = file("a", "content of a") + extension('x', pax) + file("short", "b") +
                    extension('g', pax_record("comment", "hello")) +
                    extension('L', std::string(200, 'l') + '\0') + file("cut", "") +
                    file("big", std::string(5000, 'x')) + end_of_tar() + std::string(8192, '\0');
  for (size_t piece_bytes :
       {size_t{1}, size_t{7}, size_t{511}, size_t{512}, size_t{513}, size_t{4096}, SIZE_MAX}) {
    auto read = read_tar(tar, piece_bytes);
    ASSERT_TRUE(read.has_value()) << describe(read.error());
    EXPECT_EQ(read->stream, tar);
    EXPECT_TRUE(read->has_end_marker);
    ASSERT_EQ(read->entries.size(), 4u);
    EXPECT_EQ(read->contents[0], "content of a");
    EXPECT_EQ(read->entries[1].path, std::string(300, 'p'));
    EXPECT_EQ(read->entries[1].attr.mtime_nanoseconds, 500'000'000u);
    EXPECT_EQ(read->entries[2].path, std::string(200, 'l'));
    EXPECT_EQ(read->contents[3], std::string(5000, 'x'));
  }
}

TEST(TarReaderTest, typesAndNamesAreRead) {
  const std::string star_magic(
      "ustar\0"
      "00",
      8);
  std::string old_directory = header({.name = "v7dir/", .type = '\0', .magic = ""});
  std::string tar = header({.name = "dir/", .type = '5'}) +
                    header({.name = "link", .type = '2', .link = "dir/target"}) +
                    header({.name = "hard", .type = '1', .link = "link"}) +
                    header({.name = "null", .type = '3', .major_field = "0000001"}) +
                    header({.name = "disk", .type = '4'}) + header({.name = "pipe", .type = '6'}) +
                    header({.name = "name", .prefix = "pre/fix"}) + old_directory +
                    header({.name = "contiguous", .type = '7'}) + end_of_tar();
  auto read = read_tar(tar);
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  const std::pair<TarType, const char*> expected[] = {
      {TarType::directory, "dir"},     {TarType::symlink, "link"},
      {TarType::hard_link, "hard"},    {TarType::character_device, "null"},
      {TarType::block_device, "disk"}, {TarType::fifo, "pipe"},
      {TarType::file, "pre/fix/name"}, {TarType::directory, "v7dir"},
      {TarType::file, "contiguous"}};
  ASSERT_EQ(read->entries.size(), std::size(expected));
  for (size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(read->entries[i].type, expected[i].first) << i;
    EXPECT_EQ(read->entries[i].path, expected[i].second) << i;
  }
  EXPECT_EQ(read->entries[1].link_target, "dir/target");
  EXPECT_EQ(read->entries[3].device_major, 1u);
}

TEST(TarReaderTest, numbersMayBeBase256) {
  std::string big_size("\x80\0\0\0\0\0\0\0\0\0\0\x05", 12);
  std::string tar = header({.size_field = big_size}) + padded("hello") + end_of_tar();
  auto read = read_tar(tar);
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  EXPECT_EQ(read->contents[0], "hello");
  std::string uid("\x80\0\0\0\xff\xff\xff\xfe", 8);
  read = read_tar(header({.uid_field = uid}) + end_of_tar());
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  EXPECT_EQ(read->entries[0].attr.uid, 0xfffffffe);
}

TEST(TarReaderTest, paxOverridesTheHeaderForThePayloadAndTheNextHeader) {
  // CVE-2025-62518: whoever took the header's size would see "hidden" as an entry.
  std::string inner = file("hidden", "x");
  std::string tar = extension('x', pax_record("size", std::to_string(inner.size()))) +
                    header({.name = "outer", .size = 0}) + inner + file("after", "y") +
                    end_of_tar();
  auto read = read_tar(tar);
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  ASSERT_EQ(read->entries.size(), 2u);
  EXPECT_EQ(read->contents[0], inner);
  EXPECT_EQ(read->entries[1].path, "after");
}

TEST(TarReaderTest, xattrsTimesAndIdsComeFromPax) {
  std::string records = pax_record("SCHILY.xattr.user.a", std::string("v\0w", 3)) +
                        pax_record("LIBARCHIVE.xattr.user.a", "b3RoZXI=") +
                        pax_record("LIBARCHIVE.xattr.user.b%20c", "AAE") +
                        pax_record("mtime", "-1.25") + pax_record("uid", "3000000000") +
                        pax_record("linkpath", "7") + pax_record("linkpath", "");
  auto read = read_tar(extension('x', records) + file("f", "") + end_of_tar());
  ASSERT_TRUE(read.has_value()) << describe(read.error());
  const store::NodeAttr& attr = read->entries[0].attr;
  ASSERT_EQ(attr.xattrs.size(), 2u);
  EXPECT_EQ(attr.xattrs[0], std::pair(std::string("user.a"), std::string("v\0w", 3)));
  EXPECT_EQ(attr.xattrs[1], std::pair(std::string("user.b c"), std::string("\0\1", 2)));
  EXPECT_EQ(attr.mtime_seconds, -2);
  EXPECT_EQ(attr.mtime_nanoseconds, 750'000'000u);
  EXPECT_EQ(attr.uid, 3'000'000'000u);
  EXPECT_EQ(attr.gid, 0u);
}

TEST(TarReaderTest, anArchiveMayEndWithoutItsMarker) {
  for (const std::string& end : {std::string(), std::string(512, '\0')}) {
    auto read = read_tar(file("a", "b") + end);
    ASSERT_TRUE(read.has_value());
    EXPECT_FALSE(read->has_end_marker);
    EXPECT_EQ(read->entries.size(), 1u);
  }
  EXPECT_TRUE(read_tar("").has_value());
}

TEST(TarReaderTest, everyTruncationInsideIsAnError) {
  std::string tar = extension('x', pax_record("path", "long")) + file("a", std::string(700, 'a')) +
                    file("b", "b");
  for (size_t length = 1; length < tar.size(); ++length) {
    bool boundary = length == 1024 + 512 + 1024;  // before b's header: nothing is cut
    EXPECT_EQ(read_tar(tar.substr(0, length)).has_value(), boundary) << length;
  }
}

// Its fields were unused: GNU tar, libarchive and docker look into none of them.
TEST(TarReaderTest, aDeviceInAV7HeaderHasNoNumbers) {
  auto read = read_tar(header({.type = '3', .magic = "", .major_field = "0000007"}));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->entries.at(0).device_major, 0U);
}

struct Hostile {
  const char* reason;
  std::string tar;
};

TEST(TarReaderTest, whatToolsReadDifferentlyIsRefused) {
  const std::string end = end_of_tar();
  const std::string two_paxes =
      extension('x', pax_record("path", "a")) + extension('x', pax_record("path", "b"));
  const Hostile table[] = {
      {"checksum", header({.bad_checksum = true}) + end},
      {"checksum", std::string(512, 'A') + end},
      {"different sizes", extension('x', pax_record("size", "3")) + file("f", "five!") + end},
      {"different names", extension('x', pax_record("path", "a")) +
                              extension('L', std::string("b\0", 2)) + file("f", "") + end},
      {"two PAX headers", two_paxes + file("f", "") + end},
      {"two long names", extension('L', "a") + extension('L', "b") + file("f", "") + end},
      {"extended header", extension('x', pax_record("path", "a")) + end},
      {"extended header", extension('L', "a")},
      {"global PAX header sets path", extension('g', pax_record("path", "a")) + end},
      {"global PAX header sets size", extension('g', pax_record("size", "1")) + end},
      {"zero block", std::string(512, '\0') + file("f", "") + end},
      {"too much data", end + std::string(trailing_bytes_max + 1, 'x')},
      {"type 'M'", header({.type = 'M'}) + end},
      {"type 'X'", extension('X', pax_record("path", "a")) + file("f", "") + end},
      {"name is empty", header({.name = ""}) + end},
      {"ends in '/'", header({.name = "f/"}) + end},
      {"target is empty", header({.type = '2'}) + end},
      {"target is empty", header({.type = '1'}) + end},
      {"no file, yet has content", header({.type = '5', .size = 5}) + padded("12345") + end},
      {"no file, yet has content", header({.type = '1', .size = 5, .link = "x"}) + end},
      {"no file, yet has content",
       extension('x', pax_record("size", "9")) + header({.type = '2', .link = "x"}) + end},
      {"size is negative", header({.size_field = std::string(12, '\xff')}) + end},
      {"out of range", header({.size_field = "\x80\x01" + std::string(10, '\0')}) + end},
      {"too large",
       header({.size_field = std::string("\x80\0\0\0\0\x7f", 6) + std::string(6, '\xff')}) + end},
      {"not a number", header({.size_field = "12x45678901"}) + end},
      {"not a number", header({.size_field = "-1"}) + end},
      {"uid -1", header({.uid_field = std::string(8, '\xff')}) + end},
      {"uid 4294967295", extension('x', pax_record("uid", "4294967295")) + file("f", "") + end},
      {"out of range",
       extension('x', pax_record("uid", "99999999999999999999")) + file("f", "") + end},
      {"device number", header({.type = '3', .major_field = "7777777"}) + end},
      {"too large", header({.type = 'x', .size = pax_bytes_max + 1}) + end},
      {"too large", header({.type = 'g', .size = uint64_t{7} << 30}) + end},
      {"too large", extension('L', std::string(5000, 'a')) + file("f", "") + end},
      {"too long", extension('x', pax_record("path", std::string(5000, 'a'))) + end},
      {"NUL", extension('x', pax_record("path", std::string("a\0b", 3))) + end},
      {"NUL", extension('x', pax_record("linkpath", std::string("a\0b", 3))) + end},
      {"NUL", extension('x', pax_record(std::string("pa\0th", 5), "a")) + end},
      {"no length", extension('x', "path=a\n") + end},
      {"length is wrong", extension('x', "99 path=a\n") + end},
      {"length is wrong", extension('x', "4 p=\n") + end},
      {"where it says", extension('x', "8 path=a\n") + end},
      {"no key", extension('x', "8 patha\n") + end},
      {"no key", extension('x', "5 =a\n") + end},
      {"not a number", extension('x', pax_record("size", "-5")) + end},
      {"not a number", extension('x', pax_record("mtime", "now")) + end},
      {"xattr's name", extension('x', pax_record("SCHILY.xattr.", "a")) + end},
      {"xattr's name",
       extension('x', pax_record("SCHILY.xattr." + std::string(256, 'n'), "a")) + end},
      {"too large", extension('x', pax_record("SCHILY.xattr.a", std::string(70000, 'v'))) + end},
      {"SCHILY.realsize", extension('x', pax_record("SCHILY.realsize", "9")) + file("f", "") + end},
      {"base64", extension('x', pax_record("LIBARCHIVE.xattr.a", "!!")) + end},
  };
  for (const Hostile& row : table) {
    std::string reason = refusal(row.tar);
    EXPECT_NE(reason.find(row.reason), std::string::npos) << row.reason << " / " << reason;
  }
}

TEST(TarReaderTest, whatLibarchiveTakesForAnotherHeaderIsRefused) {
  const std::string gnu("ustar  \0", 8);
  const std::string end = end_of_tar();
  const std::vector<Hostile> table = {
      {"magic", header({.magic = "ustar  1", .prefix = "p"}) + end},
      {"different device numbers", extension('x', pax_record("SCHILY.devmajor", "8")) +
                                       header({.type = '3', .major_field = "0000007"}) + end},
      {"different names", extension('L', std::string("a\0", 2)) +
                              extension('x', pax_record("GNU.sparse.name", "b")) + file("f", "") +
                              end},
      {"size is empty", extension('x', pax_record("size", "")) + file("f", "five!") + end},
      {"is empty", extension('x', pax_record("uid", "")) + file("f", "") + end},
      {"without a GNU header", header({.type = 'S'}) + end},
      {"not the type", header({.magic = gnu, .prefix = std::string(41, '\0') + "0"}) + end},
      {"not the type", header({.magic = gnu, .prefix = std::string(138, '\0') + "1"}) + end},
  };
  for (const Hostile& row : table) {
    std::string reason = refusal(row.tar);
    EXPECT_NE(reason.find(row.reason), std::string::npos) << row.reason << " / " << reason;
  }
}

}  // namespace
}  // namespace lyr::image
