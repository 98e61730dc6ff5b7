// SPDX-License-Identifier: Apache-2.0
#include "engine/supervisor.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "base/sys_unix_socket.h"
#include "engine/id_map.h"
#include "engine/make_spec.h"
#include "engine/reconcile.h"
#include "engine/resolve_options.h"
#include "engine/stdio_hub.h"
#include "engine/supervised_run.h"
#include "engine/union_server.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {
namespace {

constexpr size_t report_bytes_max = 64 << 10;
constexpr int lock_wait_ms = 5000;

// Everything that is open but what we were given: nothing of the caller's may stay open as long as
// we live.
Result<> close_all_but(std::vector<int> kept) {
  std::vector<int> open;
  Fd list = TRY(sys::open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
  TRY(sys::read_directory(list, [&](const sys::DirectoryEntry& entry) {
    open.push_back(std::atoi(std::string(entry.name).c_str()));
    return true;
  }));
  kept.push_back(list.get());
  for (int number : open) {
    if (number > 2 && std::ranges::find(kept, number) == kept.end()) Fd(number).reset();
  }
  return {};
}

Result<> redirect_standard_streams() {
  Fd null = TRY(sys::open("/dev/null", O_RDWR));
  for (int number : {0, 1, 2}) TRY(sys::dup_to(null, number));
  return {};
}

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

[[noreturn]] void supervise(SupervisorTask task, Engine::State state,
                            ContainerDirectory directory) {
  sys::reset_signals();
  sys::ignore_signal(SIGPIPE);
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-supervisor")));
  SupervisedRun run(std::move(task), std::move(state), std::move(directory));
  run.run();
  ::_exit(0);
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
  auto between = TRY(sys::clone_process());
  if (between.pid != 0) {
    task = {};  // our copies of the sockets
    TRY(sys::wait_pidfd(between.pidfd));
    return {};
  }
  // In the child. A second fork, so that the supervisor is nobody's child here and can get no
  // terminal.
  static_cast<void>(sys::new_session_id());
  auto supervisor = sys::clone_process();
  if (!supervisor || supervisor->pid != 0) ::_exit(supervisor ? 0 : 1);
  Engine::State state;
  state.roots = engine.roots;
  for (auto [to, from] : {std::pair{&state.containers, &engine.containers},
                          {&state.names, &engine.names},
                          {&state.volumes, &engine.volumes},
                          {&state.running, &engine.running}}) {
    auto copy = sys::dup(*from);
    if (!copy) ::_exit(1);
    *to = std::move(*copy);
  }
  std::vector<int> kept{state.containers.get(), state.names.get(),          state.volumes.get(),
                        state.running.get(),    directory.persistent.get(), directory.runtime.get(),
                        task.status.get(),      task.client.get()};
  auto ready = close_all_but(std::move(kept));
  if (ready) ready = redirect_standard_streams();
  if (ready) ready = sys::chdir("/");
  if (!ready) ::_exit(1);
  supervise(std::move(task), std::move(state), std::move(directory));
}

}  // namespace lyr::engine
