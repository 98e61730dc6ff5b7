// SPDX-License-Identifier: Apache-2.0
// Where a file's data and holes are. With the writeback cache the kernel holds written bytes that
// the server has not seen, and since it does not write them back before it asks (Linux 6.18,
// fs/fuse/file.c, fuse_lseek), a file just written would look empty: `cp` then copies zeros.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "unionfs/union.h"

struct fuse_req;
struct fuse_session;

namespace lyr::unionfs {

// Answers LSEEK requests. Those whose answer hangs on bytes not yet seen are answered by a thread
// of their own, since what makes the kernel write them back waits for WRITE requests, and those
// need the threads that serve. The queue is as long as there are callers that wait: each has one
// request. Where more would wait than may, the kernel is told to take no part of a file for a hole,
// from now on.
class Seeker {
 public:
  // Both outlive this.
  Seeker(struct fuse_session* session, Union& instance, size_t late_max);
  // Answers what is still asked. What waits for the kernel then ends with the connection.
  ~Seeker();
  Seeker(const Seeker&) = delete;
  Seeker& operator=(const Seeker&) = delete;

  // Replies to `request`, now or later. Any thread.
  void answer(struct fuse_req* request, uint64_t node, uint64_t offset, int whence);

 private:
  struct Question {
    struct fuse_req* request;
    uint64_t node;
    uint64_t offset;
    int whence;
  };

  void work();
  void answer_late(const Question& question);

  struct fuse_session* session_;
  Union& instance_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::vector<int> cpus_;  // that its thread may run on, whichever thread begins it
  size_t late_max_;
  size_t late_ = 0;  // that are not answered yet
  std::deque<Question> questions_;
  bool ended_ = false;
  std::thread thread_;  // begins with the first question
};

}  // namespace lyr::unionfs
