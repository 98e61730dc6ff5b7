// SPDX-License-Identifier: Apache-2.0
// A store that lives as long as the program, in memory where there is such a file system: for
// targets that put something into it in every run, and want hundreds of runs a second.
#pragma once

#include "base/result.h"
#include "fuzz/fence.h"
#include "fuzz/scratch_directory.h"
#include "store/store.h"

namespace lyr::fuzz {

class ScratchStore {
 public:
  ScratchStore();
  store::Store& store() { return store_; }
  const Fd& directory() const { return directory_.fd(); }  // the store is in it
  // Where all that is done with the store has to be done.
  Fence& fence() { return fence_; }
  // To be called after each run, when nothing must be visible any more. Now and then it collects,
  // and finds the store empty.
  void check_empty();

 private:
  ScratchDirectory directory_;
  store::Store store_;
  Fence fence_;
  unsigned runs_ = 0;
};

// Refused as bad input is, and not for what a path outside gives, nor for what the store found
// damaged.
void check_refusal(const Error& error);

}  // namespace lyr::fuzz
