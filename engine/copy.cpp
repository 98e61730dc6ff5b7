// SPDX-License-Identifier: Apache-2.0
// Files in and out of a container. The work is done by a process of ours inside the container, in a
// program's place: so a link of the container's cannot lead it to the host, volumes are where they
// should be, and files get the container's ids. A container that does not run is set up as for a
// start, and taken down again.
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/engine_state.h"
#include "engine/id_map.h"
#include "engine/make_spec.h"
#include "engine/reconcile.h"
#include "engine/supervised_run.h"
#include "engine/union_server.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {
namespace {

constexpr size_t complaint_bytes_max = 8192;  // less than a pipe holds

// What is done inside: given "/", and the stream as standard input or output.
using Work = std::function<Result<>(const Fd& root)>;

// Tells its failure on standard error: the errno value, then a sentence.
int work_inside(const Work& work) {
  auto root = sys::open("/", O_RDONLY | O_DIRECTORY);
  auto done = root ? work(*root) : Result<>(std::unexpected(std::move(root).error()));
  if (done) return 0;
  std::string complaint = std::to_string(done.error().code) + " " + describe(done.error());
  complaint.resize(std::min(complaint.size(), complaint_bytes_max));
  static_cast<void>(sys::write_all(sys::standard_error(), complaint));
  return 1;
}

Result<> outcome_of(const std::optional<sys::Ending>& ending, const Fd& complaints) {
  if (ending && ending->shell_code() == 0) return {};
  std::vector<std::byte> buffer(complaint_bytes_max);
  size_t got = TRY(sys::read(complaints, buffer));
  std::string text(reinterpret_cast<const char*>(buffer.data()), got);
  size_t space = text.find(' ');
  if (space == text.npos) return fail_saying(EIO, "the copying process was killed");
  int code = std::atoi(text.c_str());
  return fail_saying(code > 0 ? code : EIO, text.substr(space + 1));
}

sandbox::Process inside_process(const Work& work) {
  sandbox::Process process;
  process.args = {"lyr-cp"};
  process.body = [work] { return work_inside(work); };
  process.capabilities = sandbox::default_spec().process.capabilities;
  return process;
}

// Sets a container up that does not run. The lock keeps it from being started meanwhile.
Result<> work_in_stopped(Engine::State& state, const ContainerInfo& info, const Digest& chain_id,
                         sandbox::Spec spec, sandbox::Stdio stdio, const Fd& complaints) {
  auto directory = TRY(open_container(state, info.id));
  std::optional<ContainerLock> lock = TRY(lock_for_start(directory));
  TRY(clean_after(directory, info));
  Served served{state.roots, chain_id, spec.id_map, &directory};
  auto server = TRY(UnionServer::fork(served, [&] {
    lock.reset();
    stdio = {};
  }));
  auto work = [&]() -> Result<> {
    TRY(begin_start(directory));
    auto launch = TRY(sandbox::Launch::begin(spec, std::move(stdio)));
    TRY(server.attach(launch));
    TRY(launch.start());
    auto ending = TRY(sys::wait_pidfd(launch.pidfd()));
    return outcome_of(ending, complaints);
  };
  auto done = work();
  server.finish(UnionServer::end_ms);
  static_cast<void>(sandbox::remove_cgroup(spec));
  end_start(directory);
  return done;
}

Result<> work_in_running(const Engine::State& state, const ContainerInfo& info,
                         const sandbox::Spec& spec, sandbox::Stdio stdio, const Fd& complaints) {
  auto directory = TRY(open_container(state, info.id));
  auto record = TRY(read_run(directory.runtime));
  if (!record) return fail_saying(ESRCH, "container " + info.name + " has just ended");
  auto pidfd = TRY(find_process(record->container));
  if (!pidfd) return fail_saying(ESRCH, "container " + info.name + " has just ended");
  auto joined = TRY(sandbox::join(spec, *pidfd, spec.process, std::move(stdio)));
  auto ending = TRY(sys::wait_pidfd(joined.pidfd));
  return outcome_of(ending, complaints);
}

Result<> work_in(Engine& engine, Engine::State& state, std::string_view name, const Work& work,
                 sandbox::Stdio stdio) {
  auto info = TRY(engine.find(name));
  auto* images = TRY(engine.store());
  auto image = TRY(images->image(info.image_id));
  if (!image) return fail_saying(ENOENT, "the image of " + info.name + " is gone");
  auto map = TRY(choose_map());
  auto spec = TRY(make_spec(state, info, ResolvedUser{}, map.map));
  bool running = info.status == Status::running;
  spec.process = inside_process(work);
  if (!running) {
    spec.init = false;
    spec.resources = {};
  }
  auto complaints = TRY(sys::pipe());
  stdio.err = std::move(complaints.write);
  if (running) return work_in_running(state, info, spec, std::move(stdio), complaints.read);
  return work_in_stopped(state, info, image->chain_id, std::move(spec), std::move(stdio),
                         complaints.read);
}

}  // namespace

Result<> Engine::copy_from(std::string_view name_or_id, const std::string& path, bool follow_link,
                           Fd tar) {
  sandbox::Stdio stdio;
  stdio.in = TRY(sys::open("/dev/null", O_RDONLY));
  stdio.out = std::move(tar);
  auto pack = [&path, follow_link](const Fd& root) {
    return pack_tree(root, path, follow_link, sys::standard_output());
  };
  return work_in(*this, *state_, name_or_id, pack, std::move(stdio));
}

Result<> Engine::copy_to(std::string_view name_or_id, const std::string& path, Fd tar,
                         const UnpackOptions& options) {
  sandbox::Stdio stdio;
  stdio.in = std::move(tar);
  stdio.out = TRY(sys::open("/dev/null", O_WRONLY));
  auto unpack = [&path, &options](const Fd& root) {
    return unpack_tree(root, path, sys::standard_input(), options);
  };
  return work_in(*this, *state_, name_or_id, unpack, std::move(stdio));
}

}  // namespace lyr::engine
