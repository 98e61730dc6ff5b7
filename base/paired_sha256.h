// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of a stream and, in the same time, of messages of their own. A round of
// SHA-256 waits for the one before, so a core that works on one message leaves half of its SHA unit
// idle: two at once take about the time of one (x86 with SHA extensions; elsewhere one after the
// other by OpenSSL, as base/digest.h).
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/digest.h"

namespace lyr {

// Not thread-safe; one a stream.
class PairedSha256 {
 public:
  // Whether this processor can take two at once.
  static bool has_hardware();
  explicit PairedSha256(bool hardware = has_hardware());
  PairedSha256(PairedSha256&&) noexcept;
  PairedSha256& operator=(PairedSha256&&) noexcept;
  ~PairedSha256();

  // Messages to digest beside the stream; those before are finished. Both lists have as many, and
  // stay where they are until finish_messages().
  void begin_messages(std::span<const std::span<const std::byte>> messages,
                      std::span<Digest> digests);
  // Continues the stream, and the messages with it as far as that goes.
  void update(std::span<const std::byte> data);
  // The rest of the messages, two at a time: every digest is there afterwards.
  void finish_messages();
  // Of the stream so far. Nothing may follow.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lyr
