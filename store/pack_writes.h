// SPDX-License-Identifier: Apache-2.0
// Frames on their way into pack files, put there by whichever thread has the time: the one that
// makes them has enough to do with cutting and hashing.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/flush_ahead.h"
#include "store/pack_bytes.h"

namespace lyr::store {

// More than this does not wait: add() writes then, and so may block.
constexpr size_t pack_writes_bytes_max = 24 << 20;

// Thread-safe. A write that fails fails every call from then on.
class PackWrites {
 public:
  PackWrites() = default;
  PackWrites(const PackWrites&) = delete;
  PackWrites& operator=(const PackWrites&) = delete;

  // `name`: the file's, for a person. What `bytes` borrow stays where it is until finish() of this
  // write, whatever that returns.
  Result<> add(std::shared_ptr<const Fd> file, std::string name, uint64_t offset, PackBytes bytes);
  // What has been added so far, for finish().
  uint64_t added();
  // Afterwards everything added before is in its file (and readable, but not yet durable): writes
  // what waits, and waits for what other threads are writing.
  Result<> finish() { return finish(added()); }
  // The same of the first `count` that were added.
  Result<> finish(uint64_t count);
  // finish(), and the file that was added to is durable: much of it is before, while others write.
  Result<> make_durable(const Fd& file, const std::string& name);
  // Whether anything waits to be written.
  bool waiting();
  // Writes what waits, but waits for nobody: for a thread that has nothing else to do.
  Result<> help();
  // An empty buffer, with the room of one that was written.
  PackBytes spare_buffer();

 private:
  struct Write {
    std::shared_ptr<const Fd> file;
    std::string name;
    uint64_t offset = 0;
    PackBytes bytes;
    uint64_t number = 0;
  };

  void write_waiting(std::unique_lock<std::mutex>& lock, uint64_t count);

  std::mutex mutex_;  // guards all below but flush_
  std::condition_variable written_;
  std::deque<Write> waiting_;
  size_t waiting_bytes_ = 0;
  uint64_t added_ = 0;
  std::vector<uint64_t> in_flight_;  // numbers of what is being written
  Result<> failure_;
  std::vector<PackBytes> spare_;

  FlushAhead flush_;  // has its own mutex
};

}  // namespace lyr::store
