// SPDX-License-Identifier: Apache-2.0
// Starting, attaching and waiting: all three end with what the supervisor says.
#include <sys/socket.h>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_socket.h"
#include "base/sys_unix_socket.h"
#include "engine/attach_client.h"
#include "engine/engine_state.h"
#include "engine/reconcile.h"
#include "engine/supervisor.h"

namespace lyr::engine {

Result<Outcome> Engine::start(std::string_view name_or_id,
                              const std::optional<AttachOptions>& attach) {
  auto info = TRY(find(name_or_id));
  if (info.status == Status::running) {
    if (attach) return fail_saying(EALREADY, info.name + " is running already; use lyr attach");
    return Outcome{};
  }
  auto* images = TRY(store());
  auto image = TRY(images->image(info.image_id));
  if (!image) {
    return fail_saying(ENOENT, "the image of " + info.name + ", " + info.image_id.text() +
                                   ", is gone; load it again");
  }
  std::optional<AttachClient> client;
  if (attach) client = TRY(AttachClient::prepare(*attach));
  auto [status, status_theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  SupervisorTask task;
  task.roots = state_->roots;
  task.info = info;
  task.chain_id = image->chain_id;
  task.status = std::move(status_theirs);
  Fd stream;
  if (attach) {
    auto [ours, theirs] = TRY(sys::socket_pair(SOCK_STREAM));
    stream = std::move(ours);
    TRY(client->greet(stream));  // before the container can write its first byte, or end
    task.client = std::move(theirs);
  }
  TRY(fork_supervisor(*state_, std::move(task)));
  // While it starts. What is removed at its end need not outlive anything.
  Result<> durable;
  if (info.status == Status::created && !info.options.auto_remove) durable = make_durable(info);
  auto report = TRY(receive_report(status));
  if (!report.started) {
    Outcome failed;
    failed.exit_code = report.exit_code;
    failed.message = report.message;
    failed.failed_to_start = true;
    return failed;
  }
  if (!durable) {
    report.message += "a power cut may take it away: " + describe(durable.error()) + "\n";
  }
  if (!report.message.empty()) {
    static_cast<void>(sys::write_all(sys::standard_error(), report.message));
  }
  if (!client) return Outcome{};
  return client->run(std::move(stream));
}

Result<Outcome> Engine::attach(std::string_view name_or_id, const AttachOptions& options) {
  auto info = TRY(find(name_or_id));
  if (info.status != Status::running) {
    return fail_saying(ESRCH,
                       "cannot attach to " + info.name + ": it is not running, start it first");
  }
  auto client = TRY(AttachClient::prepare(options));
  auto directory = TRY(open_container(*state_, info.id));
  Fd socket = TRY(sys::connect_unix(directory.runtime, "attach.sock"));
  TRY(client.greet(socket));
  return client.run(std::move(socket));
}

Result<int> Engine::wait(std::string_view name_or_id) {
  auto info = TRY(find(name_or_id));
  if (info.status != Status::running) return info.exit_code;
  auto directory = TRY(open_container(*state_, info.id));
  AttachOptions quiet{.input = false, .output = false, .terminal = false, .forward_signals = false};
  auto socket = sys::connect_unix(directory.runtime, "attach.sock");
  if (socket) {
    auto client = TRY(AttachClient::prepare(quiet));
    static_cast<void>(client.greet(*socket));  // an end that came first shows in run()
    auto outcome = client.run(std::move(*socket));
    if (outcome) return outcome->exit_code;
  }
  // It ended before we could ask, or its supervisor was killed: the records say which.
  auto lock = TRY(ContainerLock::take(directory));
  static_cast<void>(lock);
  auto end = TRY(read_exit(directory.persistent));
  if (end) return end->exit_code;
  auto after = TRY(find(info.id));
  return after.exit_code;
}

}  // namespace lyr::engine
