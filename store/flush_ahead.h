// SPDX-License-Identifier: Apache-2.0
// A file made durable while the rest of it is still being made, so that little is left to wait for
// at its end. Starting the writeback does not do that: what was written then waits in the disk's
// cache (a virtual disk's is as large as its host's memory) until a flush asks for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::store {

// A disk that is slower than we are is asked less often, since one call is under way at a time.
constexpr uint64_t flush_ahead_bytes = 16 << 20;

// Thread-safe. Its thread begins with the first flush; where none may begin, finish() does it all.
class FlushAhead {
 public:
  FlushAhead() = default;
  FlushAhead(const FlushAhead&) = delete;
  FlushAhead& operator=(const FlushAhead&) = delete;
  // Waits for a flush that is under way.
  ~FlushAhead();

  // So many bytes more are in the file; `name`: for a person.
  void wrote(const std::shared_ptr<const Fd>& file, const std::string& name, uint64_t bytes);
  // Afterwards all of the file that wrote() was told of is durable (fdatasync). Fails, too, when a
  // flush ahead did: the kernel tells of bytes that it lost only once.
  Result<> finish(const Fd& file, const std::string& name);

 private:
  bool start();
  void run();

  std::mutex mutex_;  // guards all below but the thread
  std::condition_variable changed_;
  std::shared_ptr<const Fd> due_;  // to flush; null: nothing
  std::string due_name_;
  uint64_t unflushed_bytes_ = 0;
  bool flushing_ = false;
  bool refused_ = false;  // the thread
  bool ended_ = false;
  Result<> failure_;
  std::thread thread_;  // wrote() starts it, under the mutex
};

}  // namespace lyr::store
