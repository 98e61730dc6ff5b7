// SPDX-License-Identifier: Apache-2.0
// What libfuse's low-level interface takes to serve a connection that is mounted already.
#pragma once

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 17)
#include <fuse_lowlevel.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

class Ring;

// What the operations of a session with a ring are given.
struct SessionData {
  Ring* ring = nullptr;
};

// Ends with the connection that it was opened on. Not copied.
class FuseSession {
 public:
  struct Settings {
    void* user_data = nullptr;  // what the operations are given
    bool debug = false;         // libfuse tells of each request on stderr
    bool by_ring = false;       // user_data is a SessionData, which has one
  };
  // `connection` is /dev/fuse, opened and given to mount(2). EIO: libfuse refuses.
  static Result<FuseSession> open(Fd connection, const struct fuse_lowlevel_ops& operations,
                                  const Settings& settings);

  // Whether libfuse was built for `by_ring`.
  static bool can_be_by_ring();

  struct fuse_session* get() const { return session_.get(); }
  // Another descriptor of the connection, for what libfuse does not read by itself.
  const Fd& device() const { return device_; }

 private:
  struct Free {
    void operator()(struct fuse_session* session) const;
  };
  FuseSession(std::unique_ptr<struct fuse_session, Free> session, Fd device)
      : session_(std::move(session)), device_(std::move(device)) {}

  std::unique_ptr<struct fuse_session, Free> session_;
  Fd device_;
};

// Puts `content` into the page cache as the start of a file whose size the kernel knows. ENOENT: it
// does not know the node. Blocks while somebody waits for a READ of the same; any thread may call
// it that has no requests to answer.
Result<> store_pages(const FuseSession& session, uint64_t node, std::span<std::byte> content);

// Where the bytes of an answer to the request that the calling thread is at work on can be put, for
// fuse_reply_buf: at most 1 MiB. Until the thread's next request.
std::span<std::byte> room_for_answer(size_t bytes);

// What GETXATTR and LISTXATTR want, `size` being the room there is: 0 asks how much it takes.
void reply_bytes(fuse_req_t request, size_t size, std::string_view bytes);

}  // namespace lyr::unionfs
