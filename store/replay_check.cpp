// SPDX-License-Identifier: Apache-2.0
#include "store/replay_check.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace lyr::store {
namespace {

constexpr std::byte zero_block[64 << 10] = {};

template <class Sink>
void give_zeros(uint64_t bytes, const Sink& sink) {
  while (bytes > 0) {
    auto piece = std::span(zero_block).first(std::min<uint64_t>(bytes, sizeof zero_block));
    sink(piece);
    bytes -= piece.size();
  }
}

}  // namespace

ReplayCheck::Outline::Outline() : state_(XXH3_createState()) {
  CHECK(state_ != nullptr);
  XXH3_64bits_reset(state_.get());
}
void ReplayCheck::Outline::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }
void ReplayCheck::Outline::bytes(std::span<const std::byte> data) {
  XXH3_64bits_update(state_.get(), data.data(), data.size());
}
void ReplayCheck::Outline::object(const ObjectId& id, uint64_t bytes) {
  XXH3_64bits_update(state_.get(), id.sha256.bytes.data(), id.sha256.bytes.size());
  XXH3_64bits_update(state_.get(), &bytes, sizeof bytes);
}
void ReplayCheck::Outline::zeros(uint64_t bytes) {
  give_zeros(bytes, [&](std::span<const std::byte> piece) { this->bytes(piece); });
}
uint64_t ReplayCheck::Outline::finish() const { return XXH3_64bits_digest(state_.get()); }

ReplayCheck::ReplayCheck(Recipe::Fetch fetch, std::function<Result<>()> flush,
                         std::function<Result<>()> write)
    : fetch_(std::move(fetch)),
      flush_(std::move(flush)),
      write_(std::move(write)),
      buffer_(object_bytes_max) {
  thread_ = std::thread([this] { run(); });
}

ReplayCheck::~ReplayCheck() {
  {
    std::scoped_lock lock(mutex_);
    queue_.clear();
    closed_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<> ReplayCheck::add(const Operation& operation) {
  batch_.operations.push_back(operation);
  batch_bytes_ += operation.bytes;
  if (batch_bytes_ < replay_batch_bytes) return {};
  return hand_over();
}

Result<> ReplayCheck::inline_bytes(std::span<const std::byte> data) {
  if (data.empty()) return {};
  fed_.bytes(data);
  batch_.verbatim.insert(batch_.verbatim.end(), data.begin(), data.end());
  return add({.kind = Kind::verbatim, .bytes = data.size(), .id = {}});
}

Result<> ReplayCheck::object(const ObjectId& id, uint64_t bytes) {
  fed_.object(id, bytes);
  return add({.kind = Kind::object, .bytes = bytes, .id = id});
}

Result<> ReplayCheck::zeros(uint64_t bytes) {
  fed_.zeros(bytes);
  return add({.kind = Kind::zeros, .bytes = bytes, .id = {}});
}

Result<> ReplayCheck::hand_over() {
  TRY(flush_());
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.size() < replay_batches_max || !failure_; });
  if (!failure_) return std::exchange(failure_, fail(EIO, "replay"));
  queue_.push_back(std::exchange(batch_, {}));
  batch_bytes_ = 0;
  lock.unlock();
  changed_.notify_all();
  return {};
}

void ReplayCheck::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Batch batch = std::move(queue_.front());
    lock.unlock();
    auto replayed = replay(batch);
    lock.lock();
    // It counts among the waiting until it is done.
    if (!queue_.empty()) queue_.pop_front();
    if (!replayed) {
      failure_ = std::move(replayed);
      queue_.clear();
      closed_ = true;
    }
    changed_.notify_all();
  }
}

Result<> ReplayCheck::replay(const Batch& batch) {
  TRY(write_());
  auto verbatim = std::span(batch.verbatim);
  for (const Operation& operation : batch.operations) {
    switch (operation.kind) {
      case Kind::verbatim:
        hasher_.update(verbatim.first(operation.bytes));
        verbatim = verbatim.subspan(operation.bytes);
        break;
      case Kind::object: {
        auto data = std::span(buffer_).first(operation.bytes);
        TRY(fetch_(operation.id, data));
        hasher_.update(data);
        break;
      }
      case Kind::zeros:
        give_zeros(operation.bytes,
                   [&](std::span<const std::byte> piece) { hasher_.update(piece); });
        break;
    }
  }
  return {};
}

Result<> ReplayCheck::outline_of(std::span<const std::byte> recipe, Outline& outline) {
  auto parsed = TRY(Recipe::parse(recipe));
  bool is_object = false;  // what the sink gets next is not bytes of the recipe's own
  auto fetch = [&](const ObjectId& id, std::span<std::byte> data) -> Result<> {
    outline.object(id, data.size());
    is_object = true;
    return {};
  };
  return parsed.replay(fetch, [&](std::span<const std::byte> piece) -> Result<> {
    if (!std::exchange(is_object, false)) outline.bytes(piece);
    return {};
  });
}

Result<> ReplayCheck::finish(std::span<const std::byte> recipe, const Digest& diff_id) {
  TRY(hand_over());
  {
    std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  Outline written;
  auto outlined = outline_of(recipe, written);  // while the thread does the rest
  thread_.join();
  TRY(std::move(failure_));
  TRY(std::move(outlined));
  if (written.finish() != fed_.finish()) return fail(EUCLEAN, "recipe", diff_id.text());
  Digest given = hasher_.finish();
  if (given != diff_id) {
    return fail(EBADMSG, "layer", diff_id.text() + ": its content is " + given.text());
  }
  return {};
}

}  // namespace lyr::store
