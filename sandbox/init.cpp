// SPDX-License-Identifier: Apache-2.0
// Pid 1 for programs that are no init: hands signals on to the program, reaps orphans, and ends as
// the program ends, which ends the container.
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "sandbox/channel.h"
#include "sandbox/command_line.h"
#include "sandbox/identity.h"

namespace lyr::sandbox {
namespace {

// The program leads a foreground group of its own, so that a terminal's signals reach it once.
void lead_own_group() {
  ::setpgid(0, 0);
  std::signal(SIGTTOU, SIG_IGN);
  ::tcsetpgrp(STDIN_FILENO, ::getpgrp());
  std::signal(SIGTTOU, SIG_DFL);
}

void forward(int signal, const sys::Child& program) {
  static_cast<void>(sys::pidfd_send_signal(program.pidfd, signal));
}

// Reaps all that ended; the program's ending, if it was among them.
std::optional<sys::Ending> reap(pid_t program) {
  for (;;) {
    auto ending = sys::wait_any(WNOHANG);
    if (!ending || !*ending) return std::nullopt;
    if ((*ending)->pid == program) return **ending;
  }
}

}  // namespace

void run_under_init(const Process& process, Fd channel) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  rename_process("lyr-init");
  auto program = sys::clone_process();
  if (!program) {
    static_cast<void>(
        tell(channel, Step::failed, program.error().code, "start the program under init"));
    ::_exit(125);
  }
  if (program->pid == 0) {
    lead_own_group();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    run_program(process, channel);
  }
  // The program's end of a pipe must be the last one, and the channel closes when it execs.
  Fd last = std::move(program->pidfd);
  channel.reset();
  sys::Child child{program->pid, std::move(last)};
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) Fd{number}.reset();
  for (;;) {
    int signal = 0;
    if (sigwait(&all, &signal) != 0) continue;
    if (signal != SIGCHLD) {
      forward(signal, child);
      continue;
    }
    if (auto ending = reap(child.pid)) ::_exit(ending->shell_code());
  }
}

}  // namespace lyr::sandbox
