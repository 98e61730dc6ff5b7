// SPDX-License-Identifier: Apache-2.0
// Stopping, killing and removing containers.
#include <algorithm>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_process.h"
#include "engine/engine_state.h"
#include "engine/reconcile.h"
#include "engine/resolve_options.h"
#include "sandbox/freeze.h"

namespace lyr::engine {
namespace {

constexpr int stop_timeout_default_s = 10;
constexpr int killed_end_ms = 15000;
constexpr int frozen_ms_max = 60000;  // a commit of some gigabytes

struct Running {
  ContainerInfo info;
  ContainerDirectory directory;
  Fd pidfd;
};

// The running container's first process; absent when it does not run.
Result<std::optional<Running>> find_running(Engine& engine, Engine::State& state,
                                            std::string_view name) {
  Running running;
  running.info = TRY(engine.find(name));
  if (running.info.status != Status::running) return std::nullopt;
  running.directory = TRY(open_container(state, running.info.id));
  auto record = TRY(read_run(running.directory.runtime));
  if (!record) return std::nullopt;
  auto pidfd = TRY(find_process(record->container));
  if (!pidfd) return std::nullopt;
  running.pidfd = std::move(*pidfd);
  return running;
}

// Waits until the supervisor has put everything away: it lets go of the lock then. False: not in
// time.
Result<bool> wait_until_put_away(const ContainerDirectory& directory, int timeout_ms) {
  int64_t end = sys::now_monotonic_ms() + timeout_ms;
  while (sys::now_monotonic_ms() < end) {
    auto lock = ContainerLock::try_take(directory);
    if (lock || lock.error().code == ENOENT) return true;
    if (lock.error().code != EWOULDBLOCK) return std::unexpected(std::move(lock).error());
    TRY(sys::nap(2));
  }
  return false;
}

Result<bool> ends_within(const Fd& pidfd, int timeout_ms) {
  struct pollfd waiting{pidfd.get(), POLLIN, 0};
  int64_t end = sys::now_monotonic_ms() + timeout_ms;
  for (;;) {
    int64_t left = end - sys::now_monotonic_ms();
    int ready = TRY(sys::poll({&waiting, 1}, static_cast<int>(std::max<int64_t>(left, 0))));
    if (ready > 0) return true;
    if (left <= 0) return false;
  }
}

// While it stands still for a commit it does not hear of a signal.
void wait_while_frozen(const Running& running) {
  auto mark = open_frozen_mark(running.directory);
  if (!mark) return;
  static_cast<void>(
      sandbox::wait_until_it_goes_on(running.info.id, running.info.pid, *mark, frozen_ms_max));
}

Result<> end_by_force(const Running& running) {
  static_cast<void>(sys::pidfd_send_signal(running.pidfd, SIGKILL));
  bool put_away = TRY(wait_until_put_away(running.directory, killed_end_ms));
  if (put_away) return {};
  return fail_saying(ETIMEDOUT, "container " + running.info.name +
                                    " was killed, but its supervisor (pid " +
                                    std::to_string(running.info.supervisor_pid) + ") does not end");
}

}  // namespace

Result<> Engine::stop(std::string_view name_or_id, std::optional<int> timeout_seconds) {
  auto running = TRY(find_running(*this, *state_, name_or_id));
  if (!running) return {};
  const CreateOptions& options = running->info.options;
  int signal = TRY(parse_signal(options.stop_signal.value_or("SIGTERM")));
  int timeout =
      timeout_seconds.value_or(options.stop_timeout_seconds.value_or(stop_timeout_default_s));
  constexpr int forever_ms = 1 << 30;
  int timeout_ms = timeout < 0 || timeout > forever_ms / 1000 ? forever_ms : timeout * 1000;
  if (timeout_ms > 0) wait_while_frozen(*running);
  static_cast<void>(sys::pidfd_send_signal(running->pidfd, signal));
  bool ended = TRY(ends_within(running->pidfd, timeout_ms));
  if (!ended) return end_by_force(*running);
  TRY(wait_until_put_away(running->directory, killed_end_ms));
  return {};
}

Result<> Engine::kill(std::string_view name_or_id, int signal) {
  auto running = TRY(find_running(*this, *state_, name_or_id));
  if (!running) {
    return fail_saying(ESRCH,
                       "cannot kill container " + std::string(name_or_id) + ": it is not running");
  }
  TRY(sys::pidfd_send_signal(running->pidfd, signal));
  if (signal == SIGKILL) TRY(wait_until_put_away(running->directory, killed_end_ms));
  return {};
}

Result<> Engine::remove(std::string_view name_or_id, bool force, bool volumes) {
  auto info = TRY(find(name_or_id));
  if (info.status == Status::running) {
    if (!force) {
      return fail_saying(EBUSY, "container " + info.name + " is running: stop it first (lyr stop " +
                                    info.name + "), or use -f");
    }
    auto running = TRY(find_running(*this, *state_, info.id));
    if (running) TRY(end_by_force(*running));
  }
  auto directory = open_container(*state_, info.id);
  if (!directory && directory.error().code == ENOENT) return {};  // --rm was quicker
  if (!directory) return std::unexpected(std::move(directory).error());
  auto lock = TRY(ContainerLock::take(*directory));
  auto there = read_container(directory->persistent);
  if (!there) return {};
  return delete_container(*state_, *directory, info, volumes);
}

}  // namespace lyr::engine
