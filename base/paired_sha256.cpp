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
  Message() = default;
  Message(const Message&) = delete;  // it points into itself
  Message& operator=(const Message&) = delete;

  void begin(std::span<const std::byte> data, Digest& digest) {
    words_ = sha256_start;
    digest_ = &digest;
    at_ = data.data();
    blocks_ = data.size() / block_bytes;
    end_blocks_ = sha256_pad(data.subspan(blocks_ * block_bytes), data.size(), end_);
    if (blocks_ == 0) begin_end();
  }

  const std::byte* at() const { return at_; }
  size_t blocks() const { return blocks_; }  // that lie there; 0: there is no message
  Sha256Words& words() { return words_; }
  void take(size_t blocks) {
    at_ += blocks * block_bytes;
    blocks_ -= blocks;
    if (blocks_ > 0) return;
    begin_end();
    if (blocks_ == 0) *digest_ = sha256_digest(words_);
  }

 private:
  void begin_end() {
    at_ = end_;
    blocks_ = std::exchange(end_blocks_, 0);
  }

  Sha256Words words_ = sha256_start;
  Digest* digest_ = nullptr;
  const std::byte* at_ = nullptr;
  size_t blocks_ = 0;
  size_t end_blocks_ = 0;
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
  // Those not begun, and those being digested: the second only where no stream goes along.
  std::span<const std::span<const std::byte>> messages;
  std::span<Digest> digests;
  Message first;
  Message second;

  std::span<const std::byte> fill_rest(std::span<const std::byte> data);
  void stream_blocks(const std::byte* at, size_t count);
  bool has(Message& message);
};

// Whether `message` is one to digest: the next is begun where it was done.
bool PairedSha256::State::has(Message& message) {
  if (message.blocks() > 0) return true;
  if (messages.empty()) return false;
  message.begin(messages.front(), digests.front());
  messages = messages.subspan(1);
  digests = digests.subspan(1);
  return true;
}

void PairedSha256::State::stream_blocks(const std::byte* at, size_t count) {
  while (count > 0 && has(first)) {
    size_t both = std::min(count, first.blocks());
    sha256_block_pairs(first.words(), first.at(), words, at, both);
    first.take(both);
    at += both * block_bytes;
    count -= both;
  }
  if (count > 0) sha256_blocks(words, at, count);
}

// Completes the block begun before; what of `data` is left.
std::span<const std::byte> PairedSha256::State::fill_rest(std::span<const std::byte> data) {
  bytes += data.size();
  if (rest_bytes == 0) return data;
  size_t count = std::min(data.size(), block_bytes - rest_bytes);
  if (count > 0) std::memcpy(rest + rest_bytes, data.data(), count);
  rest_bytes += count;
  if (rest_bytes == block_bytes) {
    stream_blocks(rest, 1);
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

void PairedSha256::begin_messages(std::span<const std::span<const std::byte>> messages,
                                  std::span<Digest> digests) {
  CHECK(messages.size() == digests.size());
  CHECK(state_->messages.empty() && state_->first.blocks() + state_->second.blocks() == 0);
  state_->messages = messages;
  state_->digests = digests;
}

void PairedSha256::update(std::span<const std::byte> data) {
  if (state_->plain) return state_->plain->update(data);
  data = state_->fill_rest(data);
  state_->stream_blocks(data.data(), data.size() / block_bytes);
  auto rest = data.last(data.size() % block_bytes);
  if (rest.empty()) return;
  std::memcpy(state_->rest, rest.data(), rest.size());
  state_->rest_bytes = rest.size();
}

void PairedSha256::finish_messages() {
  State& state = *state_;
  if (state.plain) {
    for (size_t i = 0; i < state.messages.size(); ++i) {
      state.digests[i] = Digest::of(state.messages[i]);
    }
    state.messages = {};
    return;
  }
  while (true) {
    bool one = state.has(state.first);
    bool two = state.has(state.second);
    if (!one && !two) return;
    if (one && two) {
      size_t both = std::min(state.first.blocks(), state.second.blocks());
      sha256_block_pairs(state.first.words(), state.first.at(), state.second.words(),
                         state.second.at(), both);
      state.first.take(both);
      state.second.take(both);
      continue;
    }
    Message& last = one ? state.first : state.second;
    sha256_blocks(last.words(), last.at(), last.blocks());
    last.take(last.blocks());
  }
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
