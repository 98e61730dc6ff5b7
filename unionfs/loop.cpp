// SPDX-License-Identifier: Apache-2.0
// libfuse has loops of its own; this one sees each request's header, and its threads stay as many
// as they were, each with one buffer.
#include "unionfs/loop.h"

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)
#include <fuse_lowlevel.h>
#include <linux/fuse.h>

#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace lyr::unionfs {
namespace {

void count(RequestCounts& counts, const struct fuse_buf& request) {
  struct fuse_in_header header{};
  if (request.size < sizeof header) return;
  std::memcpy(&header, request.mem, sizeof header);
  size_t opcode = header.opcode < RequestCounts::opcodes ? header.opcode : 0;
  counts.by_opcode[opcode].fetch_add(1, std::memory_order_relaxed);
}

// 0, or the errno value that ended it.
int work(struct fuse_session* session, RequestCounts* counts) {
  struct fuse_buf request{};
  int got = 0;
  while (fuse_session_exited(session) == 0) {
    got = fuse_session_receive_buf(session, &request);
    if (got == -EINTR || got == -EAGAIN) continue;
    if (got <= 0) break;
    if (counts != nullptr) count(*counts, request);
    fuse_session_process_buf(session, &request);
  }
  std::free(request.mem);
  return got < 0 ? -got : 0;
}

}  // namespace

Result<> loop(struct fuse_session* session, int threads, RequestCounts* counts) {
  int ended = 0;
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) {
      others.emplace_back([&] { static_cast<void>(work(session, counts)); });
    }
    ended = work(session, counts);
  }
  return ended == 0 ? Result<>() : fail(ended, "read /dev/fuse");
}

}  // namespace lyr::unionfs
