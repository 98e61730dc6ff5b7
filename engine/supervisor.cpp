// SPDX-License-Identifier: Apache-2.0
#include "engine/supervisor.h"

#include <sys/prctl.h>

#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "base/sys_unix_socket.h"
#include "engine/detached.h"
#include "engine/reconcile.h"
#include "engine/supervised_run.h"

namespace lyr::engine {
namespace {

constexpr size_t report_bytes_max = 64 << 10;
constexpr int lock_wait_ms = 5000;

// The lock may be held for a moment by a command that looks at the container.
Result<ContainerLock> take_lock(const ContainerDirectory& directory) {
  int64_t end = sys::now_monotonic_ms() + lock_wait_ms;
  for (;;) {
    auto lock = ContainerLock::try_take(directory);
    if (lock || lock.error().code != EWOULDBLOCK) return lock;
    auto run = TRY(read_run(directory.runtime));
    if (run) {
      auto supervisor = TRY(find_process(run->supervisor));
      if (supervisor) return fail_saying(EALREADY, "it is running already");
    }
    if (sys::now_monotonic_ms() > end)
      return fail_saying(EBUSY, "another command is at work on it");
    TRY(sys::nap(1));
  }
}

void supervise(SupervisorTask task, Engine::State state, ContainerDirectory directory) {
  sys::reset_signals();
  sys::ignore_signal(SIGPIPE);
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-supervisor")));
  SupervisedRun run(std::move(task), std::move(state), std::move(directory));
  run.run();
}

}  // namespace

Result<> send_report(const Fd& status, const StartReport& report) {
  std::string text(1, report.started ? 'S' : 'F');
  text += encode_u32(static_cast<uint32_t>(report.exit_code));
  text += report.message.substr(0, report_bytes_max - text.size());
  return sys::send_message(status, std::as_bytes(std::span(text)));
}

Result<StartReport> receive_report(const Fd& status) {
  auto message = TRY(sys::receive_message(status, report_bytes_max));
  std::string_view text(reinterpret_cast<const char*>(message.data.data()), message.data.size());
  if (text.size() < 5) {
    return fail_saying(ECHILD, "the container's supervisor was killed before the container ran");
  }
  StartReport report;
  report.started = text[0] == 'S';
  report.exit_code = static_cast<int>(decode_u32(text, 1));
  report.message = text.substr(5);
  return report;
}

Result<ContainerLock> lock_for_start(const ContainerDirectory& directory) {
  return take_lock(directory);
}

Result<> fork_supervisor(const Engine::State& engine, SupervisorTask task) {
  auto directory = TRY(open_container(engine, task.info.id));
  Engine::State state;
  state.roots = engine.roots;
  for (auto [to, from] : {std::pair{&state.containers, &engine.containers},
                          {&state.names, &engine.names},
                          {&state.volumes, &engine.volumes},
                          {&state.running, &engine.running}}) {
    *to = TRY(sys::dup(*from));
  }
  std::vector<int> kept{state.containers.get(), state.names.get(),          state.volumes.get(),
                        state.running.get(),    directory.persistent.get(), directory.runtime.get(),
                        task.status.get(),      task.client.get()};
  return fork_detached(std::move(kept),
                       [&] { supervise(std::move(task), std::move(state), std::move(directory)); });
}

}  // namespace lyr::engine
