// SPDX-License-Identifier: Apache-2.0
// Checks a layer while it is being imported: what its recipe so far would give is read back from
// the packs and digested, beside the objects of a later stretch that need their names.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/digest.h"
#include "base/paired_sha256.h"
#include "base/result.h"
#include "store/frame_window.h"
#include "store/layer_batch.h"
#include "store/object_reader.h"
#include "store/spool.h"

struct XXH3_state_s;

namespace lyr::store {

// Digests the objects of a batch, which become their names. Not thread-safe.
class BatchNames {
 public:
  // From then to finish() the batch stays where it is.
  void begin(PairedSha256& hasher, LayerBatch& batch);
  void finish(PairedSha256& hasher, LayerBatch& batch);

 private:
  std::vector<std::span<const std::byte>> messages_;
  std::vector<Digest> digests_;
};

// Not thread-safe.
class ReplayCheck {
 public:
  // `objects` outlives it.
  explicit ReplayCheck(ObjectReader& objects);

  // Names the objects of `next` if they are not; meanwhile reads back what `past` (if any) stands
  // for and continues the tar with it: what it needs must be in the pack files.
  Result<> replay_and_name(const LayerBatch* past, LayerBatch& next);
  Result<> replay(const LayerBatch& past);

  // What the recipe is told, in the same order.
  void verbatim(std::span<const std::byte> data) { fed_.bytes(data); }
  void object(const ObjectId& id, uint64_t bytes) { fed_.object(id, bytes); }
  void zeros(uint64_t bytes) { fed_.zeros(bytes); }

  // EBADMSG unless what was replayed has `diff_id`, EUCLEAN unless `recipe` says exactly what it
  // was told.
  Result<> finish(Spool& recipe, const Digest& diff_id);

 private:
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

  Result<std::span<const std::byte>> fetch(const LayerBatch::Object& object, uint64_t bytes);
  static Result<> outline_of(const Spool::View& recipe, Outline& outline);

  FrameWindow window_;
  ObjectReader& objects_;
  Outline fed_;
  PairedSha256 hasher_;
  std::vector<std::byte> buffer_;
  BatchNames names_;
};

}  // namespace lyr::store
