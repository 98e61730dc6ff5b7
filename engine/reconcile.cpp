// SPDX-License-Identifier: Apache-2.0
#include "engine/reconcile.h"

#include <sys/file.h>

#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/id_map.h"
#include "engine/names.h"
#include "engine/volumes.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {
namespace {

constexpr char lock_file[] = "lock";
constexpr char starting_file[] = "starting";
constexpr char frozen_file[] = "frozen";
constexpr int killed_exit_code = 137;  // 128 + SIGKILL

Result<Fd> open_lock(const ContainerDirectory& directory) {
  return sys::open_at(directory.runtime, lock_file, O_RDWR | O_CREAT, 0600);
}

void fill_end(ContainerInfo& info, const ExitRecord& end) {
  info.status = end.dead ? Status::dead : Status::exited;
  info.exit_code = end.exit_code;
  info.started_unix_ns = end.started_unix_ns;
  info.finished_unix_ns = end.finished_unix_ns;
  info.error = end.error;
}

Result<> wait_for_end(const Fd& pidfd) {
  struct pollfd waiting{pidfd.get(), POLLIN, 0};
  TRY(sys::poll({&waiting, 1}, 10000));
  return {};
}

}  // namespace

Result<ContainerLock> ContainerLock::try_take(const ContainerDirectory& directory) {
  Fd file = TRY(open_lock(directory));
  TRY(sys::flock(file, LOCK_EX | LOCK_NB));
  return ContainerLock(std::move(file));
}

Result<ContainerLock> ContainerLock::take(const ContainerDirectory& directory) {
  Fd file = TRY(open_lock(directory));
  TRY(sys::flock(file, LOCK_EX));
  return ContainerLock(std::move(file));
}

Result<> begin_start(const ContainerDirectory& directory) {
  TRY(sys::open_at(directory.runtime, starting_file, O_WRONLY | O_CREAT, 0600));
  return {};
}

void end_start(const ContainerDirectory& directory) {
  static_cast<void>(sys::unlink_at(directory.runtime, starting_file));
}

Result<Fd> open_frozen_mark(const ContainerDirectory& directory) {
  return sys::open_at(directory.runtime, frozen_file, O_RDWR | O_CREAT, 0600);
}

Result<> clean_after(const ContainerDirectory& directory, const ContainerInfo& info) {
  auto run = TRY(read_run(directory.runtime));
  bool starting = TRY(sys::exists_at(directory.runtime, starting_file));
  if (!run && !starting) return {};
  sandbox::Spec spec = sandbox::default_spec();
  spec.id = info.id;
  if (!run) {
    // Its processes ended with their creator.
    TRY(sandbox::remove_cgroup(spec));
    end_start(directory);
    return {};
  }
  auto container = TRY(find_process(run->container));
  if (container) {
    static_cast<void>(sys::pidfd_send_signal(*container, SIGKILL));
    TRY(wait_for_end(*container));
  }
  static_cast<void>(sandbox::remove_cgroup(spec));
  ExitRecord end;
  end.exit_code = killed_exit_code;
  end.started_unix_ns = run->started_unix_ns;
  end.finished_unix_ns = sys::now_unix_ns();
  end.dead = true;
  end.error = "its supervisor was killed; what was still running in it was killed too";
  TRY(write_exit(directory.persistent, end));
  static_cast<void>(sys::unlink_at(directory.runtime, "attach.sock"));
  end_start(directory);
  return sys::unlink_at(directory.runtime, "state.json");
}

Result<> sweep_running(const Engine::State& engine) {
  std::vector<std::string> orphans;
  auto look = [&](const sys::DirectoryEntry& entry) {
    std::string id(entry.name);
    auto there = sys::exists_at(engine.containers, id.c_str());
    if (there && !*there) orphans.push_back(std::move(id));
    return true;
  };
  TRY(sys::read_directory(engine.running, look));
  for (const std::string& id : orphans) {
    ContainerDirectory runtime_only;
    auto opened = sys::open_at(engine.running, id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) continue;
    runtime_only.runtime = std::move(*opened);
    // One that is being made has its lock, and then its directory.
    auto lock = ContainerLock::try_take(runtime_only);
    auto there = sys::exists_at(engine.containers, id.c_str());
    if (lock && there && !*there) static_cast<void>(sys::remove_all_at(engine.running, id.c_str()));
  }
  return {};
}

void delete_half_made(const Engine::State& engine, const std::string& id) {
  auto persistent =
      sys::open_at(engine.containers, id.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  // Its directory goes last: while it is there, the next command tries again.
  if (persistent && !remove_anonymous_volumes(engine, *persistent)) return;
  if (!release_names_of(engine, id)) return;
  static_cast<void>(sys::remove_all_at(engine.containers, id.c_str()));
  static_cast<void>(sys::remove_all_at(engine.running, id.c_str()));
}

Result<> delete_container(const Engine::State& engine, const ContainerDirectory& directory,
                          const ContainerInfo& info, bool volumes) {
  // The name goes first and the record last: at any stop in between it can be removed again by its
  // id.
  TRY(release_name(engine, info.name, info.id));
  auto map = TRY(choose_map());
  for (const char* files : {"upper", "work"}) {
    auto remove = [&] { return sys::remove_all_at(directory.persistent, files); };
    TRY(sandbox::run_mapped(map.map, remove));
  }
  if (volumes) TRY(remove_anonymous_volumes(engine, directory.persistent));
  TRY(sys::remove_all_at(engine.containers, info.id.c_str()));
  return sys::remove_all_at(engine.running, info.id.c_str());
}

Result<std::optional<ContainerInfo>> inspect_container(const Engine::State& engine,
                                                       const std::string& id) {
  auto directory = open_container(engine, id);
  if (!directory && directory.error().code == ENOENT) {
    static_cast<void>(sys::unlink_at(engine.running, id.c_str(), AT_REMOVEDIR));
    return std::nullopt;
  }
  if (!directory) return std::unexpected(std::move(directory).error());
  auto lock = ContainerLock::try_take(*directory);
  if (!lock && lock.error().code != EWOULDBLOCK) return std::unexpected(std::move(lock).error());
  auto info = read_container(directory->persistent);
  if (!info && info.error().code == ENOENT) {
    // Being made, or half made by a command that was killed: then nobody holds the lock.
    if (lock) delete_half_made(engine, id);
    return std::nullopt;
  }
  if (!info) return std::unexpected(std::move(info).error());
  if (lock) TRY(clean_after(*directory, *info));
  // In this order: a supervisor writes how it ended before it takes the run's record away. The
  // other way round, an end in between would show the end of the run before.
  std::optional<RunRecord> run;
  if (!lock) run = TRY(read_run(directory->runtime));
  auto end = TRY(read_exit(directory->persistent));
  if (lock && end && info->options.auto_remove) {
    TRY(delete_container(engine, *directory, *info, true));
    return std::nullopt;
  }
  if (end) fill_end(*info, *end);
  if (run) {
    info->status = Status::running;
    info->exit_code = 0;
    info->error.clear();
    info->finished_unix_ns = 0;
    info->started_unix_ns = run->started_unix_ns;
    info->pid = run->container.pid;
    info->supervisor_pid = run->supervisor.pid;
  }
  return std::move(*info);
}

}  // namespace lyr::engine
