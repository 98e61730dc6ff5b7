// SPDX-License-Identifier: Apache-2.0
// The second half of a layer's import, in a thread of its own: names the objects, puts them into
// packs, writes the recipe, and replays what is written to check it.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "store/import_state.h"
#include "store/layer_batch.h"
#include "store/recipe.h"
#include "store/replay_check.h"
#include "store/spool.h"
#include "store/table.h"

namespace lyr::store {

constexpr size_t layer_batches_max = 2;      // that wait for the writer; who cuts waits beyond
constexpr size_t layer_replay_distance = 2;  // batches between writing and replaying: others may
                                             // put them into the file meanwhile

// Fed by one thread. When the writer fails, the next call fails with its error.
class LayerWriter {
 public:
  // EAGAIN: no thread to be had.
  static Result<std::unique_ptr<LayerWriter>> start(std::shared_ptr<Import::State> import);
  LayerWriter(const LayerWriter&) = delete;
  LayerWriter& operator=(const LayerWriter&) = delete;
  ~LayerWriter();

  Result<> verbatim(std::span<const std::byte> data);
  // At most object_bytes_max; `file` as in LayerBatch::Object.
  Result<> object(std::span<const std::byte> data, uint32_t file);
  Result<> zeros(uint64_t bytes);

  // The import's number of each object, in their order. Nothing can be fed afterwards.
  Result<Table<uint32_t>> close(const Digest& diff_id);
  // After close(): the recipe, which gives bytes with `diff_id`: EBADMSG if not.
  Result<Spool> finish();

 private:
  explicit LayerWriter(std::shared_ptr<Import::State> import);

  Result<> add(LayerBatch::Kind kind, uint64_t bytes);
  Result<> hand_over();
  template <class Done>
  Result<> help_until(std::unique_lock<std::mutex>& lock, const Done& done);
  void run();
  Result<> write(LayerBatch batch);
  Result<> retire_first();
  Result<> describe_first(std::unique_lock<std::mutex>& lock, size_t count);
  Result<> describe_next(std::unique_lock<std::mutex>& lock);
  Result<> describe(const LayerBatch& batch);
  void name_last(std::unique_lock<std::mutex>& lock);
  Result<> complete();
  LayerBatch spare_batch();

  std::shared_ptr<Import::State> import_;
  // The feeding thread's.
  LayerBatch batch_;
  PairedSha256 hasher_;
  BatchNames names_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<LayerBatch> queue_;
  bool naming_ = false;  // the feeding thread names the last of them
  std::vector<LayerBatch> spare_;
  bool closed_ = false;
  bool written_ = false;
  Result<> failure_;
  std::deque<LayerBatch> unchecked_;  // changed by the writer only
  size_t described_ = 0;              // of them, from the first on
  bool describing_ = false;           // who set it has the next two

  Table<uint32_t> numbers_;
  RecipeWriter recipe_;

  // The writer's, until it has ended.
  Spool recipe_file_;
  ReplayCheck check_;
  Digest diff_id_;

  std::thread thread_;
};

}  // namespace lyr::store
