// SPDX-License-Identifier: Apache-2.0
#include "store/pack.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/store/tree_text.h"

namespace lyr::store {
namespace {

std::vector<std::byte> object_of(size_t size, unsigned seed) {
  std::vector<std::byte> content(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::byte& byte : content) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(state >> 56);
  }
  return content;
}

class PackTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-pack-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    packs_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  // Writes objects of these sizes and remembers where they went.
  void write(const std::vector<size_t>& sizes) {
    PackWrites writes;
    PackWriter writer = must(PackWriter::create(packs_, writes));
    number_ = writer.number();
    for (size_t size : sizes) {
      contents_.push_back(object_of(size, static_cast<unsigned>(contents_.size())));
      objects_.push_back(ObjectId::of(contents_.back()));
      offsets_.push_back(must(writer.append(objects_.back(), contents_.back())));
    }
    bytes_ = must(writer.seal());
  }
  PackReader reader() { return must(PackReader::open(packs_, number_, bytes_)); }
  std::string name() const { return pack_name(number_); }
  // Flips a bit of the file at `offset`.
  void flip(uint64_t offset) {
    Fd file = must(sys::open_at(packs_, name().c_str(), O_RDWR));
    std::byte byte{};
    must(sys::pread_exactly(file, std::span(&byte, 1), offset));
    byte ^= std::byte{1};
    must(sys::pwrite_all(file, std::span(&byte, 1), offset));
  }

  std::string path_;
  Fd packs_;
  PackNumber number_ = 0;
  uint64_t bytes_ = 0;
  std::vector<std::vector<std::byte>> contents_;
  std::vector<ObjectId> objects_;
  std::vector<uint64_t> offsets_;
};

TEST_F(PackTest, GivesBackWhatWasAppended) {
  write({0, 1, 63, 4096, 65535, 65536, 100000, object_bytes_max, 5});
  PackReader pack = reader();
  for (size_t i = 0; i < offsets_.size(); ++i) {
    FrameHeader header = must(pack.header(offsets_[i]));
    ASSERT_EQ(header.stored_bytes, contents_[i].size());
    EXPECT_EQ(std::memcmp(header.sha256, objects_[i].sha256.bytes.data(), 32), 0);
    std::vector<std::byte> got(header.stored_bytes);
    must(pack.read_frame(offsets_[i], header, got));
    EXPECT_EQ(got, contents_[i]);
  }
}

TEST_F(PackTest, IsTheSameWithoutACopy) {
  const std::vector<size_t> sizes = {0, 5, 4095, 4096, 65535, 65536, 100000, object_bytes_max};
  write(sizes);
  auto with_copies = std::exchange(offsets_, {});
  PackWrites writes;
  PackWriter writer = must(PackWriter::create(packs_, writes));
  number_ = writer.number();
  for (size_t i = 0; i < sizes.size(); ++i) {
    offsets_.push_back(must(writer.append_borrowed(objects_[i], contents_[i])));
  }
  bytes_ = must(writer.seal());
  EXPECT_EQ(offsets_, with_copies);
  PackReader pack = reader();
  for (size_t i = 0; i < sizes.size(); ++i) {
    FrameHeader header = must(pack.header(offsets_[i]));
    std::vector<std::byte> got(header.stored_bytes);
    must(pack.read_frame(offsets_[i], header, got));
    EXPECT_EQ(got, contents_[i]);
  }
}

TEST_F(PackTest, LargePayloadsStartOnAPage) {
  write({1, 65536, 7, 131072, 65535, 70000});
  for (size_t i = 0; i < offsets_.size(); ++i) {
    if (contents_[i].size() >= aligned_payload_min) {
      EXPECT_EQ((offsets_[i] + sizeof(FrameHeader)) % payload_alignment, 0u);
    }
  }
}

TEST_F(PackTest, AScanFindsWhatTheFooterLists) {
  write({1, 16384, 16384, 0, 7, 131072, 16383, 20000, 3});
  PackReader pack = reader();
  auto footer = must(pack.footer());
  auto scanned = must(pack.scan());
  ASSERT_EQ(footer.size(), objects_.size());
  ASSERT_EQ(scanned.size(), footer.size());
  for (size_t i = 0; i < footer.size(); ++i) {
    EXPECT_EQ(std::memcmp(&footer[i], &scanned[i], sizeof footer[i]), 0) << i;
    EXPECT_EQ(footer[i].xxh3_low, objects_[i].xxh3_low);
  }
}

TEST_F(PackTest, AFlippedBitOfAFrameIsNoticedWhereverItIs) {
  write({700, 30000});
  for (size_t i = 0; i < offsets_.size(); ++i) {
    uint64_t end = offsets_[i] + sizeof(FrameHeader) + contents_[i].size();
    for (uint64_t at = offsets_[i]; at < end; at += at < offsets_[i] + 64 ? 1 : 997) {
      flip(at);
      PackReader pack = reader();
      std::vector<std::byte> got(contents_[i].size());
      auto header = pack.header(offsets_[i]);
      bool whole = header && header->stored_bytes == got.size() &&
                   pack.read_frame(offsets_[i], *header, got).has_value();
      EXPECT_FALSE(whole) << "byte " << at - offsets_[i];
      flip(at);
    }
  }
}

TEST_F(PackTest, ADamagedFrameNamesItsPack) {
  write({700});
  flip(offsets_[0] + sizeof(FrameHeader) + 5);
  PackReader pack = reader();
  FrameHeader header = must(pack.header(offsets_[0]));
  std::vector<std::byte> got(700);
  auto read = pack.read_frame(offsets_[0], header, got);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, EIO);
  EXPECT_NE(describe(read.error()).find(name()), std::string::npos);
}

TEST_F(PackTest, AFlippedBitOfTheFooterIsNoticed) {
  write({1, 2, 3});
  for (uint64_t at = offsets_.back() + sizeof(FrameHeader) + 8; at < bytes_ - 8; ++at) {
    flip(at);
    auto footer = reader().footer();
    ASSERT_FALSE(footer) << bytes_ - at;
    EXPECT_EQ(footer.error().code, EUCLEAN);
    flip(at);
  }
}

TEST_F(PackTest, ACutPackIsNotOpened) {
  write({1, 2, 3});
  Fd file = must(sys::open_at(packs_, name().c_str(), O_RDWR));
  must(sys::truncate(file, bytes_ - 1));
  auto opened = PackReader::open(packs_, number_, bytes_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EIO);
}

TEST_F(PackTest, WhatLiesPastTheCommittedLengthDoesNotExist) {
  write({100, 200, 300});
  PackReader pack = must(PackReader::open(packs_, number_, offsets_[2]));
  EXPECT_TRUE(pack.header(offsets_[1]));
  EXPECT_FALSE(pack.header(offsets_[2]));
  EXPECT_EQ(must(pack.scan()).size(), 2u);
}

TEST_F(PackTest, NamesAreExact) {
  EXPECT_EQ(must(parse_pack_name(pack_name(0x0123456789abcdefu))), 0x0123456789abcdefu);
  EXPECT_FALSE(parse_pack_name("0123456789ABCDEF.pack"));
  EXPECT_FALSE(parse_pack_name("../3456789abcdef.pack"));
  EXPECT_FALSE(parse_pack_name("0123456789abcdef.pack.new"));
}

}  // namespace
}  // namespace lyr::store
