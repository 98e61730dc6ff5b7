// SPDX-License-Identifier: Apache-2.0
// The command line's end of an attachment: our standard streams on one side, the supervisor's
// socket on the other.
#pragma once

#include "engine/engine.h"

namespace lyr::engine {

// Begins to collect signals (so that none is lost while the container starts), then run() passes
// bytes until the container ends or the person leaves.
class AttachClient {
 public:
  static Result<AttachClient> prepare(const AttachOptions& options);
  // Says what we want to hear. To be done before run(), and before the container starts: what it
  // writes to nobody goes to the log alone.
  Result<> greet(const Fd& socket) const;
  Result<Outcome> run(Fd socket);

 private:
  AttachClient(const AttachOptions& options, std::string detach_keys, Fd signals)
      : options_(options), detach_keys_(std::move(detach_keys)), signals_(std::move(signals)) {}

  AttachOptions options_;
  std::string detach_keys_;
  Fd signals_;
};

// "ctrl-p,ctrl-q" as bytes. EINVAL: no such key.
Result<std::string> parse_detach_keys(const std::string& text);

// Puts a terminal in raw mode as long as it lives.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted);
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

 private:
  struct Saved;
  std::unique_ptr<Saved> saved_;
};

// Finds the detach sequence in what is typed. Not thread-safe.
class DetachScanner {
 public:
  explicit DetachScanner(std::string keys) : keys_(std::move(keys)) {}
  // What of `typed` is to be passed on; true in `detached` when the sequence was complete.
  std::string scan(std::string_view typed, bool& detached);

 private:
  // How much of the sequence is at the end of its first `matched` keys, and is less than all those.
  size_t begun_within(size_t matched) const;

  std::string keys_;
  size_t matched_ = 0;
};

}  // namespace lyr::engine
