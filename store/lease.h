// SPDX-License-Identifier: Apache-2.0
// Leases: what an import builds on while it is not committed, so that a collection leaves it alone.
// A lease is a lock on one byte of the file `leases` (docs/formats.md): the kernel drops it with
// the process, in whatever pid namespace that ran, so nobody has to judge whether a holder still
// lives.
#pragma once

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "store/pack.h"

namespace lyr::store {

// One holder's leases, all given up together when it goes. Thread-safe. No call waits.
class Leases {
 public:
  static Result<Leases> open(const Fd& directory);

  // Beside other imports. False: a collection has it, so that what it holds may be going away.
  Result<bool> share(PackNumber pack) const;
  Result<bool> share(const Digest& diff_id) const;  // a layer
  // Alone. False: an import builds on it.
  Result<bool> take(PackNumber pack) const;
  Result<bool> take(const Digest& diff_id) const;

 private:
  explicit Leases(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace lyr::store
