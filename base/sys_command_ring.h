// SPDX-License-Identifier: Apache-2.0
// Commands to the driver of one file through an io_uring (IORING_OP_URING_CMD): each is done when
// the driver says so, which may be at any time later.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// Of one thread from its first wait() on, but for wake(). A child that was forked must not use it.
class CommandRing {
 public:
  static constexpr size_t command_bytes_max = 80;

  // For as many commands as are under way at once. EPERM, ENOSYS: as try_ring() says; EINVAL:
  // before Linux 6.1.
  static Result<std::unique_ptr<CommandRing>> make(const Fd& file, unsigned commands);
  CommandRing(const CommandRing&) = delete;
  CommandRing& operator=(const CommandRing&) = delete;
  ~CommandRing();

  struct Command {
    uint32_t operation = 0;  // the driver's number of it
    std::span<const std::byte> bytes;
    std::span<const struct iovec> buffers = {};  // must live until it is done
    uint64_t tag = 0;                            // below UINT64_MAX: what done() is given
  };
  // To be sent with the next wait(). No more than were asked for may be under way.
  void queue(const Command& command);
  // Sends what is queued and blocks until something is done or wake() was called. `done` is told
  // of each, with the driver's result, and may queue.
  Result<> wait(const std::function<void(uint64_t tag, int result)>& done);
  // Any thread: the wait() that is under way, or the next one, returns.
  void wake();

 private:
  class Impl;
  explicit CommandRing(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lyr::sys
