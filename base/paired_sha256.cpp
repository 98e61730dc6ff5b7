// SPDX-License-Identifier: Apache-2.0
#include "base/paired_sha256.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/sha256_rounds.h"

namespace lyr {
namespace {

constexpr size_t block_bytes = sha256_block_bytes;

// A message being digested: its whole blocks, then what follows them with the padding.
class Message {
 public:
  explicit Message(std::span<const std::byte> data)
      : at_(data.data()), blocks_(data.size() / block_bytes) {
    auto rest = data.subspan(blocks_ * block_bytes);
    end_blocks_ = sha256_pad(rest, data.size(), end_);
    if (blocks_ == 0) begin_end();
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  const std::byte* at() const { return at_; }
  size_t blocks() const { return blocks_; }  // that lie there; 0: it is done
  Sha256Words& words() { return words_; }
  void take(size_t blocks) {
    at_ += blocks * block_bytes;
    blocks_ -= blocks;
    if (blocks_ == 0) begin_end();
  }

 private:
  void begin_end() {
    at_ = end_;
    blocks_ = std::exchange(end_blocks_, 0);
  }

  Sha256Words words_ = sha256_start;
  const std::byte* at_;
  size_t blocks_;
  size_t end_blocks_;
  std::byte end_[2 * block_bytes];
};

}  // namespace

struct PairedSha256::State {
  // Without the hardware.
  std::optional<Sha256> plain;
  // With it: the stream's words, and what of it does not fill a block yet.
  Sha256Words words = sha256_start;
  uint64_t bytes = 0;
  std::byte rest[block_bytes];
  size_t rest_bytes = 0;

  std::span<const std::byte> fill_rest(std::span<const std::byte> data);
};

// Completes the block begun before; what of `data` is left.
std::span<const std::byte> PairedSha256::State::fill_rest(std::span<const std::byte> data) {
  bytes += data.size();
  if (rest_bytes == 0) return data;
  size_t count = std::min(data.size(), block_bytes - rest_bytes);
  if (count > 0) std::memcpy(rest + rest_bytes, data.data(), count);
  rest_bytes += count;
  if (rest_bytes == block_bytes) {
    sha256_blocks(words, rest, 1);
    rest_bytes = 0;
  }
  return data.subspan(count);
}

bool PairedSha256::has_hardware() { return sha256_has_hardware(); }

PairedSha256::PairedSha256(bool hardware) : state_(std::make_unique<State>()) {
  CHECK(!hardware || has_hardware());
  if (!hardware) state_->plain.emplace();
}
PairedSha256::PairedSha256(PairedSha256&&) noexcept = default;
PairedSha256& PairedSha256::operator=(PairedSha256&&) noexcept = default;
PairedSha256::~PairedSha256() = default;

void PairedSha256::update(std::span<const std::byte> data,
                          std::span<const std::span<const std::byte>> messages,
                          std::span<Digest> digests) {
  CHECK(messages.size() == digests.size());
  if (state_->plain) {
    state_->plain->update(data);
    for (size_t i = 0; i < messages.size(); ++i) digests[i] = Digest::of(messages[i]);
    return;
  }
  data = state_->fill_rest(data);
  size_t left = data.size() / block_bytes;
  const std::byte* at = data.data();
  for (size_t i = 0; i < messages.size(); ++i) {
    Message message(messages[i]);
    while (message.blocks() > 0) {
      if (left == 0) {
        sha256_blocks(message.words(), message.at(), message.blocks());
        message.take(message.blocks());
        continue;
      }
      size_t count = std::min(message.blocks(), left);
      sha256_block_pairs(message.words(), message.at(), state_->words, at, count);
      message.take(count);
      at += count * block_bytes;
      left -= count;
    }
    digests[i] = sha256_digest(message.words());
  }
  if (left > 0) sha256_blocks(state_->words, at, left);
  auto rest = data.last(data.size() % block_bytes);
  if (rest.empty()) return;
  std::memcpy(state_->rest, rest.data(), rest.size());
  state_->rest_bytes = rest.size();
}

Digest PairedSha256::finish() {
  if (state_->plain) return state_->plain->finish();
  std::byte padding[2 * block_bytes];
  auto rest = std::span<const std::byte>(state_->rest, state_->rest_bytes);
  size_t blocks = sha256_pad(rest, state_->bytes, padding);
  sha256_blocks(state_->words, padding, blocks);
  return sha256_digest(state_->words);
}

}  // namespace lyr
