// SPDX-License-Identifier: Apache-2.0
#include "store/layer_writer.h"

#include <xxhash.h>

#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/sys_process.h"

namespace lyr::store {

LayerWriter::LayerWriter(std::shared_ptr<Import::State> import)
    : import_(std::move(import)),
      recipe_(Spool(import_->store->layers), Spool(import_->store->layers)),
      check_(*import_->store->objects) {
  batch_ = spare_batch();
}

Result<std::unique_ptr<LayerWriter>> LayerWriter::start(std::shared_ptr<Import::State> import) {
  std::unique_ptr<LayerWriter> writer(new LayerWriter(std::move(import)));
  try {
    writer->thread_ = std::thread([inside = writer.get()] { inside->run(); });
  } catch (const std::system_error&) {
    return fail(EAGAIN, "pthread_create");
  }
  return writer;
}

LayerWriter::~LayerWriter() {
  {
    std::scoped_lock lock(mutex_);
    queue_.clear();
    closed_ = true;
    if (failure_) failure_ = fail(ECANCELED, "layer");
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

LayerBatch LayerWriter::spare_batch() {
  std::scoped_lock lock(mutex_);
  LayerBatch batch;
  if (!spare_.empty()) {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  batch.clear();
  batch.data.reserve(layer_batch_bytes + object_bytes_max);
  return batch;
}

Result<> LayerWriter::add(LayerBatch::Kind kind, uint64_t bytes) {
  batch_.add(kind, bytes);
  return batch_.tar_bytes < layer_batch_bytes ? Result<>() : hand_over();
}

Result<> LayerWriter::verbatim(std::span<const std::byte> data) {
  batch_.data.insert(batch_.data.end(), data.begin(), data.end());
  return add(LayerBatch::Kind::verbatim, data.size());
}

Result<> LayerWriter::object(std::span<const std::byte> data, uint32_t file) {
  CHECK(data.size() <= object_bytes_max);
  XXH128_hash_t key = XXH3_128bits(data.data(), data.size());
  ObjectId id{.sha256 = {}, .xxh3_low = key.low64, .xxh3_high = key.high64};
  batch_.objects.push_back({.id = id, .place = {}, .file = file});
  batch_.data.insert(batch_.data.end(), data.begin(), data.end());
  return add(LayerBatch::Kind::object, data.size());
}

Result<> LayerWriter::zeros(uint64_t bytes) { return add(LayerBatch::Kind::zeros, bytes); }

// Does what else there is to do until `done()`: what is needed first comes first. An error leaves
// the lock open, and the writer cannot go on.
template <class Done>
Result<> LayerWriter::help_until(std::unique_lock<std::mutex>& lock, const Done& done) {
  while (!done() && failure_) {
    if (import_->writes.waiting()) {
      lock.unlock();
      TRY(import_->writes.help());
      lock.lock();
    } else if (!describing_ && described_ < unchecked_.size()) {
      auto outcome = describe_next(lock);
      if (outcome) continue;
      if (failure_) failure_ = fail(ECANCELED, "layer");
      changed_.notify_all();
      lock.unlock();
      return outcome;
    } else if (queue_.size() > 1 && !queue_.back().named) {
      name_last(lock);
    } else {
      changed_.wait(lock);
    }
  }
  return {};
}

// That costs more of the processor than to name it beside a replay, but time that is left over.
void LayerWriter::name_last(std::unique_lock<std::mutex>& lock) {
  LayerBatch& batch = queue_.back();
  naming_ = true;
  lock.unlock();
  names_.begin(hasher_, batch);
  names_.finish(hasher_, batch);
  lock.lock();
  naming_ = false;
  changed_.notify_all();
}

Result<> LayerWriter::hand_over() {
  std::unique_lock lock(mutex_);
  TRY(help_until(lock, [&] { return queue_.size() < layer_batches_max; }));
  if (!failure_) return std::exchange(failure_, fail(ECANCELED, "layer"));
  queue_.push_back(std::move(batch_));
  lock.unlock();
  changed_.notify_all();
  batch_ = spare_batch();
  return {};
}

void LayerWriter::run() {
  sys::name_thread("lyr-write");
  std::unique_lock lock(mutex_);
  Result<> outcome;
  while (outcome) {
    changed_.wait(lock, [&] { return queue_.size() > (naming_ ? 1 : 0) || (closed_ && !naming_); });
    if (queue_.empty()) break;
    LayerBatch batch = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    changed_.notify_all();
    outcome = write(std::move(batch));
    lock.lock();
  }
  if (outcome && failure_) outcome = describe_first(lock, unchecked_.size());
  written_ = true;
  if (outcome && failure_) {
    changed_.notify_all();
    lock.unlock();
    outcome = complete();
    lock.lock();
  }
  if (!outcome && failure_) failure_ = std::move(outcome);
  changed_.notify_all();
  lock.unlock();
  // Packs are written out of these: that comes first, whatever became of the layer.
  if (!unchecked_.empty()) static_cast<void>(import_->writes.finish());
  lock.lock();
  changed_.wait(lock, [&] { return !naming_ && !describing_; });
  queue_.clear();
  unchecked_.clear();
  described_ = 0;
}

Result<> LayerWriter::write(LayerBatch batch) {
  bool due = unchecked_.size() >= layer_replay_distance;
  if (due) TRY(import_->writes.finish(unchecked_.front().writes));
  TRY(check_.replay_and_name(due ? &unchecked_.front() : nullptr, batch));
  if (due) TRY(retire_first());
  auto outcome = import_->put(batch);
  {
    std::scoped_lock lock(mutex_);
    unchecked_.push_back(std::move(batch));
  }
  changed_.notify_all();
  return outcome;
}

// When it has been replayed.
Result<> LayerWriter::retire_first() {
  std::unique_lock lock(mutex_);
  TRY(describe_first(lock, 1));
  spare_.push_back(std::move(unchecked_.front()));
  unchecked_.pop_front();
  --described_;
  return {};
}

Result<> LayerWriter::describe_first(std::unique_lock<std::mutex>& lock, size_t count) {
  while (described_ < count) {
    if (describing_) {
      changed_.wait(lock);
    } else {
      TRY(describe_next(lock));
    }
  }
  return {};
}

// By one thread at a time, and in their order.
Result<> LayerWriter::describe_next(std::unique_lock<std::mutex>& lock) {
  const LayerBatch& batch = unchecked_[described_];
  describing_ = true;
  lock.unlock();
  auto outcome = describe(batch);
  lock.lock();
  describing_ = false;
  ++described_;
  changed_.notify_all();
  return outcome;
}

// To the recipe, and to what is to find it in there.
Result<> LayerWriter::describe(const LayerBatch& batch) {
  auto rest = std::span<const std::byte>(batch.data);
  const LayerBatch::Object* object = batch.objects.data();
  for (const LayerBatch::Operation& operation : batch.operations) {
    if (operation.kind == LayerBatch::Kind::zeros) {
      check_.zeros(operation.bytes);
      TRY(recipe_.zeros(operation.bytes));
      continue;
    }
    auto data = rest.first(operation.bytes);
    rest = rest.subspan(operation.bytes);
    if (operation.kind == LayerBatch::Kind::verbatim) {
      check_.verbatim(data);
      TRY(recipe_.inline_bytes(data));
      continue;
    }
    check_.object(object->id, data.size());
    TRY(recipe_.object(object->id, data.size()));
    numbers_.push_back(object->number);
    ++object;
  }
  return {};
}

// After the last batch, while who fed us makes the tree.
Result<> LayerWriter::complete() {
  while (!unchecked_.empty()) {
    TRY(import_->writes.finish(unchecked_.front().writes));
    TRY(check_.replay(unchecked_.front()));
    TRY(retire_first());
  }
  recipe_file_ = TRY(recipe_.finish(diff_id_));
  return check_.finish(recipe_file_, diff_id_);
}

Result<Table<uint32_t>> LayerWriter::close(const Digest& diff_id) {
  TRY(hand_over());
  std::unique_lock lock(mutex_);
  diff_id_ = diff_id;
  closed_ = true;
  changed_.notify_all();
  TRY(help_until(lock, [&] { return written_; }));
  TRY(std::exchange(failure_, failure_ ? Result<>() : fail(ECANCELED, "layer")));
  return std::move(numbers_);
}

Result<Spool> LayerWriter::finish() {
  thread_.join();
  TRY(std::move(failure_));
  return std::move(recipe_file_);
}

}  // namespace lyr::store
