// SPDX-License-Identifier: Apache-2.0
// One more process in a running container. The command line is its parent; no supervisor is asked.
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/attach_client.h"
#include "engine/engine_state.h"
#include "engine/exec_pump.h"
#include "engine/id_map.h"
#include "engine/make_spec.h"
#include "engine/record.h"
#include "sandbox/sandbox.h"

namespace lyr::engine {
namespace {

struct Target {
  ContainerInfo info;
  Fd pidfd;
  sandbox::Spec spec;
  sandbox::Process process;
};

// Docker's codes: 127 for a program that is not there, 126 for whatever else keeps it from running.
Outcome failed_start(const Error& error, const std::string& program) {
  Outcome outcome;
  outcome.failed_to_start = true;
  bool in_exec = std::string_view(error.call) == "exec";
  outcome.exit_code = in_exec && error.code == ENOENT ? 127 : 126;
  outcome.message = describe(error);
  if (in_exec) outcome.message = "exec " + program + ": " + outcome.message;
  if (outcome.exit_code == 127)
    outcome.message = "exec " + program + ": not found in the container";
  return outcome;
}

Result<sandbox::Stdio> make_stdio(const ExecOptions& options, ContainerStreams& streams) {
  sandbox::Stdio stdio;
  if (options.terminal) return stdio;
  if (options.interactive && !options.detach) {
    auto input = TRY(sys::pipe());
    stdio.in = std::move(input.read);
    streams.input = std::move(input.write);
  } else {
    stdio.in = TRY(sys::open("/dev/null", O_RDONLY));
  }
  if (options.detach) {
    stdio.out = TRY(sys::open("/dev/null", O_WRONLY));
    stdio.err = TRY(sys::open("/dev/null", O_WRONLY));
    return stdio;
  }
  auto output = TRY(sys::pipe());
  stdio.out = std::move(output.write);
  streams.output = std::move(output.read);
  auto error = TRY(sys::pipe());
  stdio.err = std::move(error.write);
  streams.error = std::move(error.read);
  return stdio;
}

}  // namespace

Result<Outcome> Engine::exec(std::string_view name_or_id, const ExecOptions& options) {
  Target target;
  target.info = TRY(find(name_or_id));
  if (target.info.status != Status::running) {
    return fail_saying(ESRCH, "container " + target.info.name +
                                  " is not running: start it first (lyr start " + target.info.name +
                                  ")");
  }
  auto directory = TRY(open_container(*state_, target.info.id));
  auto record = TRY(read_run(directory.runtime));
  auto pidfd = record ? find_process(record->container) : Result<std::optional<Fd>>(std::nullopt);
  if (!pidfd || !*pidfd)
    return fail_saying(ESRCH, "container " + target.info.name + " has just ended");
  target.pidfd = std::move(**pidfd);
  auto* images = TRY(store());
  auto image = TRY(images->image(target.info.image_id));
  if (!image) return fail_saying(ENOENT, "the image of " + target.info.name + " is gone");
  auto tree = TRY(images->open_image_tree(image->chain_id));
  auto accounts = TRY(read_accounts(*images, tree));
  auto user = TRY(resolve_user(target.info.options.user.value_or(""), accounts));
  auto map = TRY(choose_map());
  target.spec = TRY(make_spec(*state_, target.info, user, map.map));
  auto process = make_exec_process(target.info, options, accounts);
  if (!process) return failed_start(process.error(), options.command.front());
  target.process = std::move(*process);
  target.process.outlives_creator = options.detach;  // the container's init inherits it

  AttachOptions session{.input = options.interactive,
                        .output = true,
                        .terminal = options.terminal,
                        .forward_signals = true,
                        .detach_keys = options.detach_keys};
  ExecPump pump = TRY(ExecPump::prepare(session));
  ContainerStreams streams;
  auto stdio = TRY(make_stdio(options, streams));
  auto joined = sandbox::join(target.spec, target.pidfd, target.process, std::move(stdio));
  if (!joined) return failed_start(joined.error(), options.command.front());
  for (const std::string& warning : joined->warnings) {
    std::string line = "lyr: warning: " + warning + "\n";
    static_cast<void>(sys::write_all(sys::standard_error(), line));
  }
  if (options.terminal) streams.terminal = std::move(joined->terminal);
  if (options.detach) return Outcome{};
  return pump.run(std::move(streams), joined->pidfd);
}

}  // namespace lyr::engine
