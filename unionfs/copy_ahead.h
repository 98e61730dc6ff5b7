// SPDX-License-Identifier: Apache-2.0
// Copies a range of a file that is read by a function: a large one by two threads, one of which
// reads (and checks) what comes next while the other writes. Who asked for the copy waits for it,
// so that where nobody else is at work there is a CPU for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

struct CopyAhead {
  static constexpr size_t piece_bytes = 512 << 10;      // that is read ahead, and written
  static constexpr uint64_t ahead_bytes_min = 8 << 20;  // of a range that is read ahead

  // No bytes only at the end. Another thread may call it.
  std::function<Result<size_t>(uint64_t offset, std::span<std::byte> data)> read;
  // That the process may run on: the second thread runs on these but for the caller's. Fewer than
  // two: there is none.
  std::span<const int> cpus;
};

// Writes the bytes from `at` up to `end` to the same place of `to`. EIO: there are not as many;
// else what reading or writing says. Blocks.
Result<> copy_ahead(const CopyAhead& copy, uint64_t at, uint64_t end, const Fd& to);

}  // namespace lyr::unionfs
