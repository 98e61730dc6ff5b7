// SPDX-License-Identifier: Apache-2.0
#include "engine/inside.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/id_map.h"
#include "engine/make_spec.h"
#include "engine/reconcile.h"
#include "engine/record.h"
#include "engine/supervised_run.h"
#include "engine/union_server.h"
#include "sandbox/freeze.h"

namespace lyr::engine {
namespace {

constexpr size_t complaint_bytes_max = 8192;  // less than a pipe holds

// Tells its failure on standard error: the errno value, then a sentence.
int do_inside(const InsideWork& work) {
  auto root = sys::open("/", O_RDONLY | O_DIRECTORY);
  auto done = root ? work.work(*root) : Result<>(std::unexpected(std::move(root).error()));
  if (done) return 0;
  std::string complaint = std::to_string(done.error().code) + " " + describe(done.error());
  complaint.resize(std::min(complaint.size(), complaint_bytes_max));
  static_cast<void>(sys::write_all(sys::standard_error(), complaint));
  return 1;
}

Result<> outcome_of(const std::optional<sys::Ending>& ending, const Fd& complaints) {
  if (ending && ending->shell_code() == 0) return {};
  if (ending && ending->signaled && ending->value == SIGPIPE) return fail(EPIPE, "write");
  std::vector<std::byte> buffer(complaint_bytes_max);
  size_t got = TRY(sys::read(complaints, buffer));
  std::string text(reinterpret_cast<const char*>(buffer.data()), got);
  size_t space = text.find(' ');
  if (space == text.npos) return fail_saying(EIO, "the process inside was killed");
  int code = std::atoi(text.c_str());
  return fail_saying(code > 0 ? code : EIO, text.substr(space + 1));
}

// Waits for the process inside, when what is done meanwhile is done. Of two failures that is told
// which led to the other: who no longer reads is why nobody can write.
Result<> accompany(const InsideWork& work, const Fd& pidfd, const Fd& complaints) {
  auto here = work.meanwhile ? work.meanwhile() : Result<>();
  auto ending = TRY(sys::wait_pidfd(pidfd));
  auto there = outcome_of(ending, complaints);
  if (!here && (there || there.error().code == EPIPE)) return here;
  return there;
}

sandbox::Process inside_process(const InsideWork& work) {
  sandbox::Process process;
  process.args = {work.name};
  process.body = [work] { return do_inside(work); };
  process.capabilities = sandbox::default_spec().process.capabilities;
  return process;
}

// The lock keeps it from being started meanwhile.
Result<> work_in_stopped(Engine::State& state, const ContainerInfo& info, const Digest& chain_id,
                         const InsideWork& task, sandbox::Spec spec, sandbox::Stdio stdio,
                         const Fd& complaints) {
  auto directory = TRY(open_container(state, info.id));
  std::optional<ContainerLock> lock = TRY(lock_for_start(directory));
  TRY(clean_after(directory, info));
  if (task.before) TRY(task.before());
  spec.process = inside_process(task);
  Served served{state.roots, chain_id, spec.id_map, &directory};
  auto server = TRY(UnionServer::fork(served, [&] {
    lock.reset();
    stdio = {};
    if (task.our_end != nullptr) task.our_end->reset();
  }));
  auto work = [&]() -> Result<> {
    TRY(begin_start(directory));
    auto launch = TRY(sandbox::Launch::begin(spec, std::move(stdio)));
    TRY(server.attach(launch));
    TRY(launch.start());
    return accompany(task, launch.pidfd(), complaints);
  };
  auto done = work();
  server.finish(UnionServer::end_ms);
  static_cast<void>(sandbox::remove_cgroup(spec));
  end_start(directory);
  return done;
}

Result<> work_in_running(const Engine::State& state, const ContainerInfo& info,
                         const InsideWork& task, sandbox::Spec spec, sandbox::Stdio stdio,
                         const Fd& complaints, std::vector<std::string>& warnings) {
  auto directory = TRY(open_container(state, info.id));
  auto record = TRY(read_run(directory.runtime));
  if (!record) return fail_saying(ESRCH, "container " + info.name + " has just ended");
  auto pidfd = TRY(find_process(record->container));
  if (!pidfd) return fail_saying(ESRCH, "container " + info.name + " has just ended");
  std::optional<sandbox::Freeze> freeze;
  if (task.pause) {
    Fd mark = TRY(open_frozen_mark(directory));
    auto frozen = sandbox::Freeze::begin(info.id, record->container.pid, std::move(mark));
    if (frozen) {
      freeze.emplace(std::move(*frozen));
    } else {
      warnings.push_back(info.name + " is not paused meanwhile: " + describe(frozen.error()));
    }
  }
  if (task.before) TRY(task.before());
  spec.process = inside_process(task);
  // Outside of the container's cgroups, which stand still.
  auto joined = TRY(sandbox::join(spec, *pidfd, spec.process, std::move(stdio), !task.pause));
  auto done = accompany(task, joined.pidfd, complaints);
  auto thawed = freeze ? freeze->end() : Result<>();
  if (!thawed) warnings.push_back(info.name + " stays paused: " + describe(thawed.error()));
  return done;
}

}  // namespace

Result<> work_inside(Engine& engine, Engine::State& state, std::string_view name,
                     const InsideWork& work, sandbox::Stdio stdio,
                     std::vector<std::string>& warnings) {
  auto info = TRY(engine.find(name));
  auto* images = TRY(engine.store());
  auto image = TRY(images->image(info.image_id));
  if (!image) return fail_saying(ENOENT, "the image of " + info.name + " is gone");
  auto map = TRY(choose_map());
  bool running = info.status == Status::running;
  ContainerInfo mounted = info;
  if (!running && !work.volumes) {
    mounted.options.volumes.clear();
    mounted.options.tmpfs.clear();
  }
  auto spec = TRY(make_spec(state, mounted, ResolvedUser{}, map.map));
  if (!running) {
    spec.init = false;
    spec.resources = {};
  }
  auto complaints = TRY(sys::pipe());
  stdio.err = std::move(complaints.write);
  if (running) {
    return work_in_running(state, info, work, std::move(spec), std::move(stdio), complaints.read,
                           warnings);
  }
  return work_in_stopped(state, info, image->chain_id, work, std::move(spec), std::move(stdio),
                         complaints.read);
}

}  // namespace lyr::engine
