// SPDX-License-Identifier: Apache-2.0
#include "sandbox/freeze.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_socket.h"
#include "sandbox/cgroup.h"

namespace lyr::sandbox {
namespace {

// A program that waits for a device cannot be stopped until it is done.
constexpr int frozen_ms_max = 10'000;
constexpr int killed_look_ms = 100;  // how often a waiter looks whether who has frozen it is there

struct Freezer {
  Fd cgroup;
  Fd file;           // cgroup.freeze
  std::string name;  // of the cgroup: no other one has it until the next boot
};

Result<Freezer> freezer_of(const std::string& id, pid_t first) {
  Spec spec;
  spec.id = id;
  auto cgroups = TRY(find_cgroups(spec, first));
  if (!cgroups.unified)
    return fail_saying(EOPNOTSUPP, "it has no cgroup of its own (of version 2)");
  Freezer freezer;
  freezer.file =
      TRY(about(sys::open_at(cgroups.unified, "cgroup.freeze", O_RDWR), "cgroup.freeze"));
  auto status = TRY(sys::stat(cgroups.unified));
  freezer.name = std::to_string(status.st_ino);
  freezer.cgroup = std::move(cgroups.unified);
  return freezer;
}

Result<std::string> start_of(const Fd& file) {
  std::string text(256, '\0');
  size_t got = TRY(sys::pread(file, std::as_writable_bytes(std::span(text)), 0));
  text.resize(got);
  return text;
}

Result<bool> is_frozen(const Freezer& freezer) {
  std::string text = TRY(start_of(freezer.file));
  return text.starts_with('1');
}

// By one of us: the mark is there before it is frozen, and until it is not.
Result<bool> is_ours(const Freezer& freezer, const Fd& mark) {
  std::string text = TRY(start_of(mark));
  return text == freezer.name;
}

Result<> thaw(const Fd& file, const Fd& mark) {
  TRY(sys::write_all(file, "0"));
  return sys::truncate(mark, 0);
}

// Holds nothing of ours but these, and is none of our session's: what ends us does not end it.
int undo_at_the_end_of(const Fd& lifeline, const Fd& file, const Fd& mark) {
  auto line = sys::dup(lifeline, 3);
  auto target = sys::dup(file, 3);
  auto locked = sys::dup(mark, 3);
  if (!line || !target || !locked) return 1;
  auto alone = sys::dup_to(*line, STDIN_FILENO);
  if (alone) alone = sys::dup_to(*target, STDOUT_FILENO);
  if (alone) alone = sys::dup_to(*locked, STDERR_FILENO);
  if (alone) alone = sys::close_range(STDERR_FILENO + 1);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) sys::ignore_signal(signal);
  if (alone) alone = sys::new_session_id();
  if (!alone) return 1;
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-thaw")));
  std::byte unused{};
  if (!sys::write(sys::standard_input(), std::span(&unused, 1))) return 1;
  static_cast<void>(sys::read(sys::standard_input(), std::span(&unused, 1)));
  return thaw(sys::standard_output(), sys::standard_error()) ? 0 : 1;
}

// cgroup.events says "frozen 1" once all have stopped, and can be waited for.
Result<> wait_frozen(const Fd& cgroup, bool frozen, int timeout_ms) {
  Fd events = TRY(sys::open_at(cgroup, "cgroup.events", O_RDONLY));
  int64_t end = sys::now_monotonic_ms() + timeout_ms;
  for (;;) {
    std::string text = TRY(start_of(events));
    if (text.find(frozen ? "frozen 1" : "frozen 0") != std::string::npos) return {};
    int64_t left = end - sys::now_monotonic_ms();
    if (left <= 0) {
      return fail_saying(
          ETIMEDOUT, frozen ? "a program of it cannot be stopped" : "it stands still for too long");
    }
    struct pollfd change{events.get(), POLLPRI, 0};
    TRY(sys::poll(std::span(&change, 1), static_cast<int>(left)));
  }
}

}  // namespace

Result<Freeze> Freeze::begin(const std::string& id, pid_t first, Fd mark) {
  auto freezer = TRY(freezer_of(id, first));
  // The undoer has the lock, too, until it is undone.
  TRY(sys::flock(mark, LOCK_EX));
  Freeze freeze;
  bool frozen = TRY(is_frozen(freezer));
  bool left = TRY(is_ours(freezer, mark));
  if (frozen && !left) return freeze;
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_STREAM));
  freeze.undoer_ = TRY(sys::spawn([&] {
    ours.reset();
    return undo_at_the_end_of(theirs, freezer.file, mark);
  }));
  freeze.lifeline_ = std::move(ours);
  freeze.file_ = std::move(freezer.file);
  freeze.mark_ = std::move(mark);
  theirs.reset();
  // Nothing is frozen before who undoes it is out of reach of what may end us.
  std::byte ready{};
  size_t got = TRY(sys::read(freeze.lifeline_, std::span(&ready, 1)));
  if (got == 0) return fail_saying(ECHILD, "the process that would let it go on has ended");
  TRY(sys::truncate(freeze.mark_, 0));
  TRY(sys::pwrite_all(freeze.mark_, std::as_bytes(std::span(freezer.name)), 0));
  TRY(sys::write_all(freeze.file_, "1"));
  TRY(wait_frozen(freezer.cgroup, true, frozen_ms_max));
  return freeze;
}

Result<> Freeze::end() {
  if (!lifeline_) return {};
  lifeline_.reset();
  auto ending = sys::wait_pidfd(undoer_.pidfd);
  if (ending && *ending && (*ending)->shell_code() == 0) return {};
  return thaw(file_, mark_);
}

Freeze::~Freeze() { static_cast<void>(end()); }

Result<> wait_until_it_goes_on(const std::string& id, pid_t first, const Fd& mark, int timeout_ms) {
  auto freezer = TRY(freezer_of(id, first));
  bool frozen = TRY(is_frozen(freezer));
  bool ours = TRY(is_ours(freezer, mark));
  if (!frozen || !ours) return {};
  int64_t end = sys::now_monotonic_ms() + timeout_ms;
  for (;;) {
    auto locked = sys::flock(mark, LOCK_EX | LOCK_NB);
    if (locked) return thaw(freezer.file, mark);
    int64_t left = std::max<int64_t>(end - sys::now_monotonic_ms(), 0);
    int wait_ms = static_cast<int>(std::min<int64_t>(left, killed_look_ms));
    auto thawed = wait_frozen(freezer.cgroup, false, wait_ms);
    if (thawed || left == 0) return thawed;
  }
}

}  // namespace lyr::sandbox
