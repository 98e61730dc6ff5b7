// SPDX-License-Identifier: Apache-2.0
// One mount of an image, for all of its containers that have one map of ids: they share what the
// kernel has read of it, and one server. Containers in hybrid mode stand on it. Who needs it first
// forks its daemon (image_daemon.h); it ends with who needs it last. Each is connected with the
// daemon, so that the kernel tells either of the other's end.
#pragma once

#include <sys/file.h>

#include <memory>
#include <optional>
#include <string>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/file_server.h"

namespace lyr::engine {

struct ImageKey {
  const Roots& roots;
  const Digest& chain_id;
  const sandbox::IdMap& map;
};

// The daemons' sockets, and a lock for who makes, joins or ends one: a daemon whose socket is there
// while the lock is held will answer.
class ImageSockets {
 public:
  static Result<ImageSockets> open(const Roots& roots);
  // Held until what comes back is closed. A daemon must not wait for it: who holds it may wait for
  // the daemon, when its queue of new connections is full. EWOULDBLOCK: held.
  Result<Fd> lock() const { return lock(LOCK_EX); }
  Result<Fd> try_lock() const { return lock(LOCK_EX | LOCK_NB); }
  const Fd& directory() const { return directory_; }
  static std::string name(const ImageKey& key);

 private:
  Result<Fd> lock(int operation) const;
  explicit ImageSockets(Fd directory) : directory_(std::move(directory)) {}
  Fd directory_;
};

// What a daemon sends first: this byte, with the mount and, where it has one of its own, its user
// namespace; or the other one and why there is none. Why it ends, if ever it has to, follows.
constexpr char image_is_here = 'M';
constexpr char image_is_not = 'F';
constexpr size_t image_note_bytes_max = 4096;

class SharedImage : public FileServer {
 public:
  // Does not wait for the mount. An Error of the others has the call "image" when the daemon has
  // none.
  static Result<std::unique_ptr<SharedImage>> join(const ImageKey& key);

  Result<Fd> user_namespace() override;
  Result<> attach(sandbox::Launch& container) override;
  const Fd& watched() const override { return daemon_; }
  std::optional<std::string> why_it_ended() override;
  void let_go(int timeout_ms) override;
  void finish(int timeout_ms) override;

 private:
  explicit SharedImage(Fd daemon) : daemon_(std::move(daemon)) {}
  Result<> hear_daemon();
  Fd daemon_;  // a connection
  Fd mount_;
  Fd user_namespace_;
};

}  // namespace lyr::engine
