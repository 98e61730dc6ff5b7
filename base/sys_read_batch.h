// SPDX-License-Identifier: Apache-2.0
// Reads parts of several files at once: io_uring gives the disk all of them to do at the same time.
// Where the host refuses a ring (container engines do), they are read one after the other. Which of
// the two it was cannot be told from what comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

constexpr unsigned ring_parts_max = 32;  // of a batch that are under way at once
constexpr size_t kept_rings_max = 4;     // for the next batches; each takes two pages or three

// What is wanted of one file: what stands at `offset` goes to `head`, what follows that to `data`.
struct ReadPart {
  const Fd* file = nullptr;
  uint64_t offset = 0;
  std::span<std::byte> head;  // may be empty
  std::span<std::byte> data;
  Result<size_t> got = size_t{0};  // of both; fewer than they have room for: the file ended

  size_t size() const { return head.size() + data.size(); }
};

enum class ReadWay {
  ring,       // where it is allowed
  one_by_one  // never with a ring
};

// Whether a ring can be made here, and if not why: EPERM by seccomp or kernel.io_uring_disabled,
// ENOSYS by seccomp or without io_uring.
Result<> try_ring();

// Thread-safe.
class ReadBatches {
 public:
  explicit ReadBatches(ReadWay way = ReadWay::ring);
  ReadBatches(const ReadBatches&) = delete;
  ReadBatches& operator=(const ReadBatches&) = delete;
  ~ReadBatches();

  // Blocks until each part has what it gets, or an error of its own.
  void read(std::span<ReadPart> parts);

 private:
  class Ring;

  std::unique_ptr<Ring> take_ring();  // null: read without
  void give_back(std::unique_ptr<Ring> ring);

  std::mutex mutex_;  // guards all below
  bool refused_;      // for good
  std::vector<std::unique_ptr<Ring>> idle_;
};

}  // namespace lyr::sys
