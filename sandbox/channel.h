// SPDX-License-Identifier: Apache-2.0
// What a container's first process and its creator tell each other while it is being set up: whole
// messages on a SOCK_SEQPACKET pair, closed by the exec.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sandbox {

enum class Step : unsigned char {
  go,              // to the child: ids are mapped, the cgroup is yours
  fuse_device,     // to the creator, with the device
  image,           // to the child, with the mount that its overlay stands on
  root,            // to the child, with its mounted root
  terminal,        // to the creator, with the pty's master
  warning,         // to the creator: something asked for could not be given
  ready,           // to the creator: only the exec is left
  started,         // join(): the pid of the process, in `code`
  start,           // to the child: exec
  failed,          // to the creator: errno and what was done
  overlay_failed,  // to the creator: errno and why there is no overlay
  exec_failed,     // to the creator: errno and the program
};

constexpr int failed_exit_code = 125;         // docker's for "the engine failed"
constexpr size_t note_text_bytes_max = 4000;  // longer texts are cut

struct Note {
  Step step = Step::failed;
  int code = 0;
  std::string text;
  Fd fd;
};

Result<> tell(const Fd& channel, Step step, int code = 0, std::string_view text = {},
              const Fd* fd = nullptr);
// Blocks. Nothing: the other end is closed.
Result<std::optional<Note>> hear(const Fd& channel);

// The error a `failed`, `overlay_failed` or `exec_failed` note tells of; the call is "", "overlay"
// or "exec".
Failure failure_of(const Note& note);

// Tells of `error`, as one of those.
Result<> tell_failure(const Fd& channel, const Error& error);

// Says which step of the set-up `result` failed in, ready for a person.
template <class T>
Result<T> during(std::string_view step, Result<T>&& result) {
  if (result) [[likely]]
    return std::move(result);
  return fail_saying(result.error().code, std::string(step) + ": " + describe(result.error()));
}

}  // namespace lyr::sandbox
