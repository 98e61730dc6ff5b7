// SPDX-License-Identifier: Apache-2.0
// FUSE over io_uring (Linux 6.14, Documentation/filesystems/fuse/fuse-io-uring.rst): each CPU has a
// queue, whose thread answers and asks for the next request in one system call. FORGET, INTERRUPT
// and what the server tells by itself still go through the device.
//
// libfuse has that too, but its threads see no request before it is answered, and a thread of the
// server that answers later than it was asked (unionfs/seek.h) meets them in the ring unlocked.
//
// No server can follow one that is killed: what the kernel was about to hand over then is lost.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/ring_pace.h"
#include "unionfs/unionfs.h"

struct fuse_session;

namespace lyr::unionfs {

// Whether a connection can have that here. ENOTSUP, EPERM and such: no, for the reason it says.
Result<> may_use_ring();

// The queues of a connection. Each has room for eight requests of up to 1 MiB, which takes memory
// as it is used.
class Ring {
 public:
  // Requests that may be without an answer while the thread that was given them goes on.
  static constexpr unsigned late_answers_max = 4;
  // Before the session is opened. EPERM and such: a ring may not be made. EAGAIN: no more threads
  // may be.
  static Result<std::unique_ptr<Ring>> make(Fd device);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // The session is open: requests come from now on, counted before they are answered.
  void start(struct fuse_session* session, RequestCounts* counts);
  // The connection has ended, or is to: no request is answered any more.
  void stop();
  // Whether requests come by it, as far as is known.
  bool serves() const { return serves_; }
  // What libfuse has to say, as writev(2): from any thread.
  ssize_t write(std::span<const struct iovec> message);
  // Of the request that the calling thread answers: where its answer's bytes can be put without a
  // copy. Empty: it did not come by a ring.
  static std::span<std::byte> room();

 private:
  class Queue;
  struct Entry;

  explicit Ring(Fd device);
  ssize_t open_session(std::span<const struct iovec> answer);
  Entry* find(uint64_t unique, Queue*& queue);

  Fd device_;
  struct fuse_session* session_ = nullptr;
  RequestCounts* counts_ = nullptr;
  bool opened_ = false;
  std::vector<int> cpus_;  // that the server may run on
  std::atomic<bool> serves_ = true;
  std::atomic<int> state_ = 0;  // of enum State
  RingPace pace_;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace lyr::unionfs
