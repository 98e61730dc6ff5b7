// SPDX-License-Identifier: Apache-2.0
// What serves a container's root file system, as its supervisor sees it. Without it the container
// cannot go on.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {

class FileServer {
 public:
  FileServer() = default;
  FileServer(FileServer&&) = default;
  FileServer& operator=(FileServer&&) = default;
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  virtual ~FileServer() = default;

  // The user namespace that the container's must be made in; empty: ours.
  virtual Result<Fd> user_namespace() { return Fd(); }
  // Between the container's begin() and finish(): both get to know each other.
  virtual Result<> attach(sandbox::Launch& container) = 0;
  // Becomes readable at its end.
  virtual const Fd& watched() const = 0;
  // After its end: why, as a sentence for people; nothing when that was in order.
  virtual std::optional<std::string> why_it_ended() = 0;
  // The container is gone, and its mounts with it: begins to end. After this nothing of it touches
  // the container's directory.
  virtual void let_go(int timeout_ms) { finish(timeout_ms); }
  // The same, and waits for all that is left to do. Either waits for `timeout_ms` at most.
  virtual void finish(int timeout_ms) = 0;
};

}  // namespace lyr::engine
