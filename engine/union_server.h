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
#include "sandbox/sandbox.h"

namespace lyr::engine {

class UnionServer {
 public:
  // Forks it. It opens the store and the tree at once, while the container is made. `forget`: what
  // the child must not keep open. `durable`: the container is wanted after a power cut. `mode`:
  // fuse, to serve the union; hybrid, to serve the image alone.
  static Result<UnionServer> fork(const Roots& roots, const ContainerDirectory& directory,
                                  const Digest& chain_id, const sandbox::IdMap& map, UnionMode mode,
                                  bool durable, const std::function<void()>& forget);
  // Hands it the mounted file system's device. Rootless with several ids it first joins the
  // container's user namespace, to own files of every id in it.
  Result<> serve(Fd fuse_device, Fd user_namespace);

  const Fd& pidfd() const { return child_.pidfd; }
  // After its end: why, as a sentence for people; nothing when the file system was unmounted, as it
  // should be.
  std::optional<std::string> why_it_ended();
  // How long the last writes may take to reach the upper directory.
  static constexpr int end_ms = 10'000;
  // Waits for its end (the file system is gone when the container's mounts are), then kills it.
  void finish(int timeout_ms);

 private:
  UnionServer(sys::Child child, Fd channel)
      : child_(std::move(child)), channel_(std::move(channel)) {}
  sys::Child child_;
  Fd channel_;
  bool reaped_ = false;
};

}  // namespace lyr::engine
