// SPDX-License-Identifier: Apache-2.0
// Work on files of many ids: done by a child that is id 0 of a user namespace with the map.
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/sys_process.h"
#include "base/sys_socket.h"
#include "sandbox/channel.h"
#include "sandbox/id_map.h"
#include "sandbox/sandbox.h"

namespace lyr::sandbox {
namespace {

[[noreturn]] void run_task(const Fd& channel, const std::function<Result<>()>& task) {
  auto note = hear(channel);
  if (!note || !*note || (*note)->step != Step::go) ::_exit(1);
  auto done = sys::set_groups({});
  if (done) done = sys::set_gids(0);
  if (done) done = sys::set_uids(0);
  if (done) done = task();
  auto told = done ? tell(channel, Step::ready)
                   : tell(channel, Step::failed, done.error().code, describe(done.error()));
  ::_exit(told ? 0 : 1);
}

Result<> oversee(const Fd& channel, pid_t pid, const IdMap& map) {
  TRY(write_id_map(pid, map));
  TRY(tell(channel, Step::go));
  auto note = TRY(hear(channel));
  if (!note)
    return fail_saying(ECHILD, "the process that works with the container's ids was killed");
  if (note->step == Step::failed) return failure_of(*note);
  return {};
}

}  // namespace

Result<> run_mapped(const IdMap& map, const std::function<Result<>()>& task) {
  if (map.single || is_privileged()) return task();
  auto [ours, theirs] = TRY(sys::socket_pair(SOCK_SEQPACKET));
  auto child = TRY(sys::clone_process(CLONE_NEWUSER));
  if (child.pid == 0) {
    ours.reset();
    run_task(theirs, task);
  }
  theirs.reset();
  auto done = oversee(ours, child.pid, map);
  if (!done) static_cast<void>(sys::pidfd_send_signal(child.pidfd, SIGKILL));
  TRY(sys::wait_pidfd(child.pidfd));
  return done;
}

}  // namespace lyr::sandbox
