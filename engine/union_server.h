// SPDX-License-Identifier: Apache-2.0
// The FUSE server's process, and the one that keeps it: the supervisor's child and the container's
// sibling, so that the container cannot see it. When the server is killed the next one takes over,
// see unionfs/keeper.h; when the keeper is, the server and the connection go with it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "base/sys_process.h"
#include "engine/engine_state.h"
#include "engine/file_server.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {

// What a server serves. What is referred to must live until the server is forked.
struct Served {
  const Roots& roots;
  const Digest& chain_id;
  const sandbox::IdMap& map;
  // Whose union; none: the image alone, for any container of that map.
  const ContainerDirectory* directory = nullptr;
  bool durable = true;  // the container is wanted after a power cut
  bool passthrough = false;
  bool io_uring = false;
};

// A mounted FUSE file system.
struct Connection {
  Fd fuse_device;
  Fd user_namespace;  // to be joined by the server; none: it stays where it is
  Fd pid_namespace;   // it was mounted in; none: the server's own
};

class UnionServer : public FileServer {
 public:
  // Forks it. It opens the store and the tree at once, while the container is made. `forget`: what
  // the child must not keep open.
  static Result<UnionServer> fork(const Served& served, const std::function<void()>& forget);
  // Hands it the mounted file system's device. Rootless with several ids it first joins the
  // container's user namespace, to own files of every id in it.
  Result<> serve(Connection connection);

  Result<> attach(sandbox::Launch& container) override;
  const Fd& watched() const override { return child_.pidfd; }
  // Nothing when the file system was unmounted, as it should be.
  std::optional<std::string> why_it_ended() override;
  // How long the last writes may take to reach the upper directory.
  static constexpr int end_ms = 10'000;
  void finish(int timeout_ms) override;

 private:
  UnionServer(sys::Child child, Fd channel)
      : child_(std::move(child)), channel_(std::move(channel)) {}
  sys::Child child_;
  Fd channel_;
  bool reaped_ = false;
};

}  // namespace lyr::engine
