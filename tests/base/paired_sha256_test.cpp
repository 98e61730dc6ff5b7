// SPDX-License-Identifier: Apache-2.0
// Every digest is compared with OpenSSL's.
#include "base/paired_sha256.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lyr {
namespace {

using Bytes = std::span<const std::byte>;

class PairedSha256Test : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !PairedSha256::has_hardware()) GTEST_SKIP() << "no SHA extensions here";
    for (std::byte& byte : data_) byte = static_cast<std::byte>(random_() & 0xff);
  }
  Bytes part(size_t from, size_t bytes) const { return Bytes(data_).subspan(from, bytes); }
  static std::vector<Digest> expected(const std::vector<Bytes>& messages) {
    std::vector<Digest> digests;
    for (Bytes message : messages) digests.push_back(Digest::of(message));
    return digests;
  }

  // One step: the stream goes on by `data`, the messages are digested.
  static void update(PairedSha256& hasher, Bytes data, const std::vector<Bytes>& messages,
                     std::vector<Digest>& digests) {
    digests.resize(messages.size());
    hasher.begin_messages(messages, digests);
    hasher.update(data);
    hasher.finish_messages();
  }

  std::mt19937 random_{1};
  std::vector<std::byte> data_ = std::vector<std::byte>(100000);
};

TEST_P(PairedSha256Test, KnowsTheStandardsExamples) {
  std::string_view abc = "abc";
  Bytes message = std::as_bytes(std::span(abc));
  std::vector<Digest> digests;
  PairedSha256 hasher(GetParam());
  update(hasher, message, {message}, digests);
  const char* expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(digests.front().text(), expected);
  EXPECT_EQ(hasher.finish().text(), expected);
  EXPECT_EQ(PairedSha256(GetParam()).finish().text(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_P(PairedSha256Test, MessagesOfEveryLengthAroundABlock) {
  std::vector<Bytes> messages;
  for (size_t bytes = 0; bytes <= 300; ++bytes) messages.push_back(part(bytes, bytes));
  std::vector<Digest> digests;
  PairedSha256 hasher(GetParam());
  update(hasher, data_, messages, digests);
  EXPECT_EQ(digests, expected(messages));
  EXPECT_EQ(hasher.finish(), Digest::of(Bytes(data_)));
}

TEST_P(PairedSha256Test, AStreamMayBeCutAnywhere) {
  for (size_t cut = 0; cut <= 200; ++cut) {
    PairedSha256 hasher(GetParam());
    hasher.update(part(0, cut));
    hasher.update(part(cut, 1));
    hasher.update({});
    hasher.update(part(cut + 1, 299 - cut));
    EXPECT_EQ(hasher.finish(), Digest::of(part(0, 300))) << cut;
  }
}

TEST_P(PairedSha256Test, EitherMayBeTheLonger) {
  for (int round = 0; round < 300; ++round) {
    PairedSha256 hasher(GetParam());
    size_t at = 0;
    for (int step = 0; step < 5; ++step) {
      size_t bytes = random_() % (round % 2 == 0 ? 20000 : 200);
      std::vector<Bytes> messages(random_() % 6);
      for (Bytes& message : messages) {
        message = part(random_() % 50000, random_() % (round % 3 == 0 ? 20000 : 200));
      }
      std::vector<Digest> digests;
      update(hasher, part(at, bytes), messages, digests);
      at += bytes;
      EXPECT_EQ(digests, expected(messages));
    }
    EXPECT_EQ(hasher.finish(), Digest::of(part(0, at)));
  }
}

TEST_P(PairedSha256Test, MessagesGoAlongWithManyPieces) {
  std::vector<Bytes> messages = {part(0, 5000), part(1, 1), part(2, 0), part(3, 40000),
                                 part(4, 70)};
  std::vector<Digest> digests(messages.size());
  PairedSha256 hasher(GetParam());
  hasher.begin_messages(messages, digests);
  for (size_t at = 0, bytes = 0; at < data_.size(); at += bytes) {
    bytes = std::min<size_t>(random_() % 700, data_.size() - at);
    hasher.update(part(at, bytes));
  }
  hasher.finish_messages();
  EXPECT_EQ(digests, expected(messages));
  EXPECT_EQ(hasher.finish(), Digest::of(Bytes(data_)));
}

TEST_P(PairedSha256Test, MessagesNeedNoStream) {
  std::vector<Bytes> messages;
  for (size_t i = 0; i < 9; ++i) messages.push_back(part(i * 100, i * i * 500));
  std::vector<Digest> digests(messages.size());
  PairedSha256 hasher(GetParam());
  hasher.begin_messages(messages, digests);
  hasher.finish_messages();
  EXPECT_EQ(digests, expected(messages));
}

INSTANTIATE_TEST_SUITE_P(Ways, PairedSha256Test, testing::Bool(),
                         [](const auto& way) { return way.param ? "hardware" : "portable"; });

}  // namespace
}  // namespace lyr
