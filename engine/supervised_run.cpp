// SPDX-License-Identifier: Apache-2.0
#include "engine/supervised_run.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_unix_socket.h"
#include "engine/id_map.h"
#include "engine/make_spec.h"
#include "engine/shared_image.h"
#include "engine/union_mode.h"
#include "engine/union_server.h"
#include "unionfs/image_session.h"

namespace lyr::engine {
namespace {

constexpr int clients_end_ms = 5000;
constexpr int server_end_ms = 100;
constexpr int engine_failed = 125;
constexpr int not_executable = 126;
constexpr int not_found = 127;

int exit_code_of(const Error& error) {
  if (std::string_view(error.call) != "exec") return engine_failed;
  return error.code == ENOENT ? not_found : not_executable;
}

// The union alone may do.
bool only_hybrid_failed(const Error& error) {
  std::string_view call(error.call);
  return call == "overlay" || call == "image";
}

// The image's server, which is others' too, ended during the start.
bool has_lost_server(const Error& error) {
  return error.code == ENOTCONN || error.code == ECONNABORTED;
}

// The kernel will say the same again.
bool is_refusal(const Error& error) {
  if (std::string_view(error.call) != "overlay" || has_lost_server(error)) return false;
  const int passing[] = {ENOMEM, ENOSPC, EMFILE, ENFILE, EAGAIN, EINTR, EIO};
  return std::ranges::find(passing, error.code) == std::end(passing);
}

std::string explain(const Error& error, const ContainerInfo& info) {
  if (only_hybrid_failed(error) && error.subject)
    return "--union hybrid cannot be had: " + *error.subject;
  if (std::string_view(error.call) != "exec") return describe(error);
  const std::string& program = info.command.front();
  if (error.code == ENOENT) {
    return "exec " + program + ": not found in the container (" +
           (program.find('/') == std::string::npos ? "nor in its PATH)"
                                                   : "or its interpreter is missing)");
  }
  return "exec " + program + ": " + describe(error);
}

}  // namespace

SupervisedRun::SupervisedRun(SupervisorTask task, Engine::State state, ContainerDirectory directory)
    : task_(std::move(task)), state_(std::move(state)), directory_(std::move(directory)) {}

void SupervisedRun::run() {
  auto started = start();
  if (!started) {
    report_failure(started.error());
    return;
  }
  StartReport report{.started = true, .exit_code = 0, .message = ""};
  for (const std::string& warning : container_->warnings())
    report.message += "lyr: warning: " + warning + "\n";
  static_cast<void>(send_report(task_.status, report));
  task_.status.reset();
  watch();
  finish();
}

void SupervisedRun::report_failure(const Error& error) {
  bool ours = lock_.has_value();
  StartReport report{
      .started = false, .exit_code = exit_code_of(error), .message = explain(error, task_.info)};
  container_.reset();  // kills what there is of it
  if (server_) server_->finish(UnionServer::end_ms);
  if (ours) {
    ExitRecord failed;
    failed.exit_code = report.exit_code;
    failed.finished_unix_ns = sys::now_unix_ns();
    failed.error = report.message;
    static_cast<void>(write_exit(directory_.persistent, failed));
    static_cast<void>(sys::unlink_at(directory_.runtime, "attach.sock"));
    static_cast<void>(sys::unlink_at(directory_.runtime, "state.json"));
    end_start(directory_);
    if (task_.info.options.auto_remove) {
      static_cast<void>(delete_container(state_, directory_, task_.info, true));
    }
  }
  lock_.reset();
  static_cast<void>(send_report(task_.status, report));
}

Result<> SupervisedRun::start() {
  lock_ = TRY(lock_for_start(directory_));
  TRY(clean_after(directory_, task_.info));  // of a supervisor that was killed
  auto chosen = TRY(choose_map());
  UnionMode asked = task_.info.options.union_mode;
  auto mode = TRY(choose_union(state_, directory_, asked, chosen.map))
  .mode;
  if (mode != UnionMode::hybrid) return start_on(mode, chosen.map);
  auto started = start_hybrid(chosen.map);
  if (started || asked != UnionMode::automatic || !only_hybrid_failed(started.error()))
    return started;
  // Only the try tells whether the kernel takes this host's file systems. Whatever else went wrong
  // may not go wrong the next time.
  if (is_refusal(started.error()) && !has_server_ended())
    note_overlay_refused(state_, *started.error().subject);
  undo_start();
  return start_on(UnionMode::fuse, chosen.map);
}

// Its end is heard of a little later than its file system fails.
bool SupervisedRun::has_server_ended() const {
  if (!server_) return true;
  struct pollfd waiting{server_->watched().get(), POLLIN, 0};
  auto heard = sys::poll({&waiting, 1}, server_end_ms);
  return !heard || *heard != 0;
}

void SupervisedRun::undo_start() {
  container_.reset();
  if (server_) server_->finish(UnionServer::end_ms);
  server_.reset();
}

Result<> SupervisedRun::start_hybrid(const sandbox::IdMap& map) {
  auto started = start_on(UnionMode::hybrid, map);
  // Without its server the kernel may say anything of an overlay, EINVAL, too. With a hub clients
  // are there, and they are told of one start.
  bool again = !started && !hub_ &&
               (only_hybrid_failed(started.error()) || has_lost_server(started.error()));
  if (!again) return started;
  undo_start();
  return start_on(UnionMode::hybrid, map);
}

Result<> SupervisedRun::fork_server(UnionMode mode, const sandbox::IdMap& map) {
  if (mode == UnionMode::hybrid) {
    server_ = TRY(SharedImage::join({task_.roots, task_.chain_id, map}));
    return {};
  }
  Served served{task_.roots, task_.chain_id, map, &directory_};
  served.durable = !task_.info.options.auto_remove;
  served.passthrough = mode == UnionMode::passthrough;
  served.io_uring = mode == UnionMode::io_uring;
  server_ = std::make_unique<UnionServer>(TRY(UnionServer::fork(served, [this] {
    lock_.reset();
    task_.status.reset();
    task_.client.reset();
  })));
  return {};
}

// In fuse mode the server does it.
Result<> SupervisedRun::dress_upper(const store::Tree& tree, const sandbox::IdMap& map) {
  Fd upper = TRY(sys::open_at(directory_.persistent, "upper", O_RDONLY | O_DIRECTORY));
  if (is_host_root()) return unionfs::dress_upper(upper, tree, true);
  auto done = unionfs::dress_upper(upper, tree, false, host_ids(map));
  if (done || done.error().code != EPERM) return done;
  // Its owner is not the container's root.
  return sandbox::run_mapped(map, [&] { return unionfs::dress_upper(upper, tree, false); });
}

Result<> SupervisedRun::start_on(UnionMode mode, const sandbox::IdMap& map) {
  TRY(note_union(directory_, mode));
  TRY(fork_server(mode, map));
  ResolvedUser user;
  {
    auto store = TRY(store::Store::open(store_directory(task_.roots)));
    auto tree = TRY(store.open_image_tree(task_.chain_id));
    if (mode == UnionMode::hybrid) TRY(dress_upper(tree, map));
    auto accounts = TRY(read_accounts(store, tree));
    user = TRY(resolve_user(task_.info.options.user.value_or(""), accounts));
  }
  spec_ = TRY(make_spec(state_, task_.info, user, map));
  if (mode == UnionMode::hybrid) {
    spec_.root_kind = sandbox::RootKind::overlay;
    spec_.root_path = task_.roots.root + "/containers/" + directory_.id;
    spec_.durable_root = !task_.info.options.auto_remove;
  }
  auto stdio = TRY(make_streams());
  const std::array<int, 4> handled{SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  signals_ = TRY(sys::signal_fd(handled));
  return launch(std::move(stdio));
}

Result<sandbox::Stdio> SupervisedRun::make_streams() {
  sandbox::Stdio stdio;
  if (task_.info.options.terminal) return stdio;
  if (task_.info.options.interactive) {
    auto input = TRY(sys::pipe());
    stdio.in = std::move(input.read);
    streams_.input = std::move(input.write);
  } else {
    stdio.in = TRY(sys::open("/dev/null", O_RDONLY));
  }
  auto output = TRY(sys::pipe());
  stdio.out = std::move(output.write);
  streams_.output = std::move(output.read);
  auto error = TRY(sys::pipe());
  stdio.err = std::move(error.write);
  streams_.error = std::move(error.read);
  return stdio;
}

Result<> SupervisedRun::launch(sandbox::Stdio stdio) {
  TRY(begin_start(directory_));
  Fd above = TRY(server_->user_namespace());
  container_ = TRY(sandbox::Launch::begin(spec_, std::move(stdio), above));
  TRY(server_->attach(*container_));
  TRY(container_->finish());
  if (task_.info.options.terminal) streams_.terminal = container_->take_terminal();
  TRY(open_for_clients());
  record_.supervisor = TRY(identify(static_cast<pid_t>(::getpid())));
  record_.container = TRY(identify(container_->pid()));
  record_.started_unix_ns = sys::now_unix_ns();
  TRY(write_run(directory_.runtime, record_));
  end_start(directory_);
  return container_->start();
}

Result<> SupervisedRun::open_for_clients() {
  auto log = TRY(LogWriter::open(directory_.persistent));
  bool once = task_.info.options.interactive && task_.client.valid();
  hub_.emplace(std::move(streams_), std::move(log), once);
  hub_->set_signal_handler([this](int signal) {
    static_cast<void>(sys::pidfd_send_signal(container_->pidfd(), signal));
  });
  if (task_.client) hub_->add_client(std::move(task_.client));
  listener_ = TRY(sys::listen_unix(directory_.runtime, "attach.sock"));
  return {};
}

void SupervisedRun::take_signal() {
  auto signal = sys::next_signal(signals_);
  // Whoever ends the supervisor in an orderly way ends the container.
  if (signal && *signal) static_cast<void>(sys::pidfd_send_signal(container_->pidfd(), SIGKILL));
}

void SupervisedRun::watch() {
  bool server_ended = false;
  std::optional<std::string> why_killed;
  for (;;) {
    std::vector<struct pollfd> fds;
    fds.push_back({container_->pidfd().get(), POLLIN, 0});
    fds.push_back({listener_.get(), POLLIN, 0});
    fds.push_back({signals_.get(), POLLIN, 0});
    if (!server_ended) fds.push_back({server_->watched().get(), POLLIN, 0});
    hub_->watch(fds);
    if (!sys::poll(fds, -1)) return;
    if (fds[2].revents != 0) take_signal();
    if (!server_ended && fds[3].revents != 0) {
      // It ends before the container's last process is reaped: its mounts go first.
      server_ended = true;
      auto why = server_->why_it_ended();
      if (!why) continue;
      why_killed = *why + ", so the container was killed";
      static_cast<void>(sys::pidfd_send_signal(container_->pidfd(), SIGKILL));
    }
    hub_->act(fds);
    if (fds[1].revents != 0) {
      auto client = sys::accept_unix(listener_);
      if (client) hub_->add_client(std::move(*client));
    }
    if (fds[0].revents == 0) continue;
    auto ending = sys::wait_pidfd(container_->pidfd());
    if (ending && *ending) end_.exit_code = (*ending)->shell_code();
    // Not if it had ended well before that.
    if (why_killed && end_.exit_code != 0) end_.error = *why_killed;
    return;
  }
}

void SupervisedRun::finish() {
  end_.started_unix_ns = record_.started_unix_ns;
  end_.finished_unix_ns = sys::now_unix_ns();
  hub_->drain();
  server_->let_go(UnionServer::end_ms);
  static_cast<void>(container_->remove_cgroup());
  static_cast<void>(write_exit(directory_.persistent, end_));
  static_cast<void>(sys::unlink_at(directory_.runtime, "attach.sock"));
  static_cast<void>(sys::unlink_at(directory_.runtime, "state.json"));
  if (task_.info.options.auto_remove) {
    static_cast<void>(delete_container(state_, directory_, task_.info, true));
  }
  server_->finish(UnionServer::end_ms);
  // Who hears of the end may start or remove it at once.
  lock_.reset();
  hub_->finish(end_.exit_code, end_.error, clients_end_ms);
}

}  // namespace lyr::engine
