// SPDX-License-Identifier: Apache-2.0
// libfuse has loops of its own; this one sees each request's header, and its threads stay as many
// as they were, each with one buffer.
#include "unionfs/loop.h"

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/sys_event.h"
#include "unionfs/busy_wait.h"

namespace lyr::unionfs {
namespace {

void count(RequestCounts& counts, const struct fuse_buf& request) {
  struct fuse_in_header header{};
  if (request.size < sizeof header) return;
  std::memcpy(&header, request.mem, sizeof header);
  size_t opcode = header.opcode < RequestCounts::opcodes ? header.opcode : 0;
  counts.by_opcode[opcode].fetch_add(1, std::memory_order_relaxed);
}

// A device's reader. Alone it looks for requests before it sleeps, and reads without blocking then.
class Reader {
 public:
  Reader(struct fuse_session* session, const Fd& device, bool alone)
      : session_(session), device_(device) {
    if (alone) spare_cpu_.emplace();
  }

  // Bytes of the next request; 0: it is unmounted; below: an errno value, negative.
  int receive(struct fuse_buf& request) {
    if (!spare_cpu_) return fuse_session_receive_buf(session_, &request);
    look(wait_.looks() && spare_cpu_->at(now_ns()));
    for (;;) {
      int got = fuse_session_receive_buf(session_, &request);
      if (got != -EAGAIN) {
        if (got > 0) wait_.received(now_ns());
        return got;
      }
      if (!wait_.looks_on(now_ns())) sleep();
    }
  }
  void answered() {
    if (spare_cpu_) wait_.answered(now_ns());
  }

 private:
  static int64_t now_ns() {
    using std::chrono::steady_clock;
    return std::chrono::nanoseconds(steady_clock::now().time_since_epoch()).count();
  }
  void look(bool on) {
    if (on == looking_) return;
    if (sys::set_nonblocking(device_, on)) looking_ = on;
  }
  void sleep() {
    struct pollfd readable{device_.get(), POLLIN, 0};
    static_cast<void>(sys::poll({&readable, 1}, -1));  // an error shows in the next read
  }

  struct fuse_session* session_;
  const Fd& device_;
  std::optional<SpareCpu> spare_cpu_;
  bool looking_ = false;
  BusyWait wait_;
};

// 0, or the errno value that ended it.
int work(struct fuse_session* session, const Fd& device, RequestCounts* counts, bool alone) {
  Reader reader(session, device, alone);
  struct fuse_buf request{};
  int got = 0;
  while (fuse_session_exited(session) == 0) {
    got = reader.receive(request);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    if (counts != nullptr) count(*counts, request);
    fuse_session_process_buf(session, &request);
    reader.answered();
  }
  std::free(request.mem);
  return got < 0 ? -got : 0;
}

}  // namespace

Result<> loop(struct fuse_session* session, const Fd& device, int threads, RequestCounts* counts) {
  int ended = 0;
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) {
      others.emplace_back([&] { static_cast<void>(work(session, device, counts, false)); });
    }
    ended = work(session, device, counts, threads == 1);
  }
  return ended == 0 ? Result<>() : fail(ended, "read /dev/fuse");
}

}  // namespace lyr::unionfs
