// SPDX-License-Identifier: Apache-2.0
#include "sandbox/freeze.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>

#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "sandbox/cgroup.h"

namespace lyr::sandbox {
namespace {

// A program that waits for a device cannot be stopped until it is done.
constexpr int frozen_ms_max = 10'000;

// Holds nothing of ours but these two, and is none of our session's: what ends us does not end it.
int undo_at_the_end_of(const Fd& lifeline, const Fd& file) {
  auto line = sys::dup(lifeline, 3);
  auto target = sys::dup(file, 3);
  if (!line || !target) return 1;
  auto alone = sys::dup_to(*line, STDIN_FILENO);
  if (alone) alone = sys::dup_to(*target, STDOUT_FILENO);
  if (alone) alone = sys::close_range(STDERR_FILENO);
  if (!alone) return 1;
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) sys::ignore_signal(signal);
  static_cast<void>(sys::new_session_id());
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-thaw")));
  std::byte unused{};
  static_cast<void>(sys::read(sys::standard_input(), std::span(&unused, 1)));
  return sys::write_all(sys::standard_output(), "0") ? 0 : 1;
}

// cgroup.events says "frozen 1" once all have stopped, and can be waited for.
Result<> wait_frozen(const Fd& cgroup) {
  Fd events = TRY(sys::open_at(cgroup, "cgroup.events", O_RDONLY));
  int64_t end = sys::now_monotonic_ms() + frozen_ms_max;
  for (;;) {
    std::string text(256, '\0');
    size_t got = TRY(sys::pread(events, std::as_writable_bytes(std::span(text)), 0));
    if (std::string_view(text).substr(0, got).find("frozen 1") != std::string_view::npos) return {};
    int64_t left = end - sys::now_monotonic_ms();
    if (left <= 0) return fail_saying(ETIMEDOUT, "a program of it cannot be stopped");
    struct pollfd change{events.get(), POLLPRI, 0};
    TRY(sys::poll(std::span(&change, 1), static_cast<int>(left)));
  }
}

}  // namespace

Result<Freeze> Freeze::begin(const std::string& id, pid_t first) {
  Spec spec;
  spec.id = id;
  auto cgroups = TRY(find_cgroups(spec, first));
  if (!cgroups.unified)
    return fail_saying(EOPNOTSUPP, "it has no cgroup of its own (of version 2)");
  Fd file = TRY(about(sys::open_at(cgroups.unified, "cgroup.freeze", O_RDWR), "cgroup.freeze"));
  // The undoer has the lock, too, until it is undone.
  TRY(sys::flock(file, LOCK_EX));
  std::byte state{};
  TRY(sys::read(file, std::span(&state, 1)));
  Freeze freeze;
  if (state == std::byte{'1'}) return freeze;
  auto [read, write] = TRY(sys::pipe());
  freeze.undoer_ = TRY(sys::spawn([&] {
    write.reset();
    return undo_at_the_end_of(read, file);
  }));
  freeze.lifeline_ = std::move(write);
  TRY(sys::write_all(file, "1"));
  TRY(wait_frozen(cgroups.unified));
  return freeze;
}

Freeze::~Freeze() {
  if (!lifeline_) return;
  lifeline_.reset();
  static_cast<void>(sys::wait_pidfd(undoer_.pidfd));
}

}  // namespace lyr::sandbox
