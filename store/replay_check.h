// SPDX-License-Identifier: Apache-2.0
// Checks a layer while it is being imported: a thread reads back what the recipe so far would give,
// from the packs, and hashes it beside the work of cutting and writing.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "store/object.h"
#include "store/recipe.h"

struct XXH3_state_s;

namespace lyr::store {

constexpr uint64_t replay_batch_bytes = 4 << 20;  // of tar, handed to the thread at once
constexpr size_t replay_batches_max = 3;          // that wait; the importer waits beyond

// Fed by one thread.
class ReplayCheck {
 public:
  // `fetch` reads a whole object, from the checking thread. What was fed is readable once `flush`,
  // from the feeding thread, and then `write`, from the checking one, have returned.
  ReplayCheck(Recipe::Fetch fetch, std::function<Result<>()> flush,
              std::function<Result<>()> write);
  ReplayCheck(const ReplayCheck&) = delete;
  ReplayCheck& operator=(const ReplayCheck&) = delete;
  ~ReplayCheck();

  Result<> inline_bytes(std::span<const std::byte> data);
  Result<> object(const ObjectId& id, uint64_t bytes);
  Result<> zeros(uint64_t bytes);
  // EBADMSG unless what was fed gives bytes with `diff_id`, EUCLEAN unless `recipe` says exactly
  // what was fed. Nothing can be fed afterwards.
  Result<> finish(std::span<const std::byte> recipe, const Digest& diff_id);

 private:
  enum class Kind : uint8_t { verbatim, object, zeros };
  struct Operation {
    Kind kind = Kind::verbatim;
    uint64_t bytes = 0;
    ObjectId id;
  };
  struct Batch {
    std::vector<Operation> operations;
    std::vector<std::byte> verbatim;  // of all its operations, one after the other
  };
  // A digest of operations: equal ones give equal bytes.
  class Outline {
   public:
    Outline();
    void bytes(std::span<const std::byte> data);
    void object(const ObjectId& id, uint64_t bytes);
    void zeros(uint64_t bytes);
    uint64_t finish() const;

   private:
    struct Free {
      void operator()(XXH3_state_s* state) const;
    };
    std::unique_ptr<XXH3_state_s, Free> state_;
  };

  Result<> add(const Operation& operation);
  Result<> hand_over();
  void run();
  Result<> replay(const Batch& batch);
  static Result<> outline_of(std::span<const std::byte> recipe, Outline& outline);

  Recipe::Fetch fetch_;
  std::function<Result<>()> flush_;
  std::function<Result<>()> write_;
  Batch batch_;
  uint64_t batch_bytes_ = 0;
  Outline fed_;

  std::mutex mutex_;  // guards queue_, closed_, failure_
  std::condition_variable changed_;
  std::deque<Batch> queue_;
  bool closed_ = false;
  Result<> failure_;

  Sha256 hasher_;                  // the thread's, until it has ended
  std::vector<std::byte> buffer_;  // the thread's
  std::thread thread_;
};

}  // namespace lyr::store
