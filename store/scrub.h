// SPDX-License-Identifier: Apache-2.0
// Reads everything the store has and checks it: each frame against its checksum and its object's
// SHA-256, each recipe and tree against its own, and that every object a recipe names is there.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "store/collect.h"
#include "store/frame_check.h"

namespace lyr::store {

class Scrub {
 public:
  Scrub(Store::State& state, const ScrubOptions& options) : state_(state), options_(options) {}

  Result<ScrubReport> run();

 private:
  // Frames that are read together: entries [first, first + count) of a pack.
  struct Stretch {
    const PackObjects* pack = nullptr;
    size_t first = 0;
    size_t count = 0;
  };
  // A frame that is not what the footer says, and its object.
  struct BadFrame {
    PackNumber pack = 0;
    uint64_t offset = 0;
    ObjectId key;
  };

  Result<> plan();
  // Until no stretch is left; the work of each thread.
  void check_stretches();
  void check_stretch(const Stretch& stretch, std::vector<std::byte>& buffer, FrameCheck& check);
  void note_bad(const Stretch& stretch, const PackFooterEntry& entry);
  // Whether the pack, or the frame, went away while we read.
  bool is_gone(PackNumber pack, uint64_t offset) const;

  Result<> check_layers();
  Result<> check_layer(const Digest& diff_id, const std::vector<Digest>& images);
  Result<> check_trees();
  Result<> check_hot_files();  // hot_check.cpp
  void find_whole();
  bool has_whole(const ObjectId& object) const;
  bool is_whole_now(const BadFrame& frame) const;
  void name_bad();
  Result<> mend();
  Result<> drop_spoiled(const Leases& leases);
  Result<> replace_broken_packs(const Leases& leases);
  void damage(std::string what, std::vector<Digest> images);

  Store::State& state_;
  const ScrubOptions& options_;
  ScrubReport report_;
  std::optional<Liveness> liveness_;
  std::vector<Stretch> stretches_;
  uint64_t total_bytes_ = 0;
  std::atomic<size_t> next_stretch_ = 0;
  std::atomic<uint64_t> done_bytes_ = 0;

  std::set<PackNumber> broken_;  // packs without a footer
  std::mutex mutex_;             // guards bad_ and report_ while threads run
  std::vector<BadFrame> bad_;
  std::map<ObjectId, std::set<Digest>> needed_by_;  // keys of bad frames: the images that need them
  std::set<ObjectId> lost_;                         // keys of objects without a copy that is whole
  std::multimap<ObjectId, Place>
      whole_;                // before a mend: frames that are whole, by keys of bad ones
  std::set<ObjectId> sole_;  // keys of needed objects that are in none of those
};

}  // namespace lyr::store
