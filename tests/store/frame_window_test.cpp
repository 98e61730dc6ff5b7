// SPDX-License-Identifier: Apache-2.0
#include "store/frame_window.h"

#include <gtest/gtest.h>

#include "base/sys_file.h"
#include "tests/store/sample_layer.h"

namespace lyr::store {
namespace {

struct Stored {
  std::string content;
  ObjectId object;
  Place place;
};

class FrameWindowTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "lyr-window-XXXXXX";
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    packs_ = must(sys::open(path_.c_str(), O_RDONLY | O_DIRECTORY));
    set_.emplace(packs_);
    window_.emplace(*set_);
  }
  void TearDown() override { must(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  std::vector<Stored> write(const std::vector<size_t>& sizes) {
    PackWrites writes;
    PackWriter writer = must(PackWriter::create(packs_, writes));
    std::vector<Stored> all;
    for (size_t size : sizes) {
      Stored stored{
          .content = content_of(size, static_cast<unsigned>(size)), .object = {}, .place = {}};
      auto bytes = std::as_bytes(std::span(stored.content));
      stored.object = ObjectId::of(bytes);
      uint64_t offset = must(writer.append(stored.object, bytes));
      stored.place = {writer.number(), offset};
      all.push_back(std::move(stored));
    }
    must(writer.seal());
    return all;
  }
  Result<std::string> read(const Stored& stored) {
    auto data = TRY(window_->read(stored.place, stored.object, stored.content.size()));
    return std::string(reinterpret_cast<const char*>(data.data()), data.size());
  }

  std::string path_;
  Fd packs_;
  std::optional<PackSet> set_;
  std::optional<FrameWindow> window_;
};

TEST_F(FrameWindowTest, ReadsFramesInAnyOrder) {
  auto all = write({1, 100, 200000, object_bytes_max, 5, 16384, 262000, 0, 300});
  auto more = write({77, 150000});
  all.insert(all.begin() + 4, more.begin(), more.end());
  for (const Stored& stored : all) EXPECT_EQ(must(read(stored)), stored.content);
  std::ranges::reverse(all);
  for (const Stored& stored : all) EXPECT_EQ(must(read(stored)), stored.content);
}

TEST_F(FrameWindowTest, ADamagedFrameNamesItsPack) {
  auto all = write({10, 5000, 20});
  Fd file = must(sys::open_at(packs_, pack_name(all[1].place.pack).c_str(), O_RDWR));
  std::byte damaged{1};
  uint64_t at = all[1].place.offset + sizeof(FrameHeader) + 4000;
  must(sys::pwrite_all(file, std::span(&damaged, 1), at));
  EXPECT_EQ(must(read(all[0])), all[0].content);
  auto second = read(all[1]);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EIO);
  EXPECT_NE(describe(second.error()).find(pack_name(all[1].place.pack)), std::string::npos);
  EXPECT_EQ(must(read(all[2])), all[2].content);
}

TEST_F(FrameWindowTest, WhatIsNotThatObjectIsAnError) {
  auto all = write({10, 20});
  Stored other = all[0];
  other.object = all[1].object;
  EXPECT_EQ(read(other).error().code, EIO);
  other = all[0];
  other.place.offset += 8;
  EXPECT_EQ(read(other).error().code, EIO);
  other.place.offset = 1 << 20;  // past the file's end
  EXPECT_EQ(read(other).error().code, EIO);
}

}  // namespace
}  // namespace lyr::store
