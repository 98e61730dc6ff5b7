// SPDX-License-Identifier: Apache-2.0
// How a container's program is found, started, signalled and ended.
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Program : public SandboxTest {};
LYR_IN_EACH_MODE(Program);

TEST_P(Program, ExitCodeAndSignal) {
  EXPECT_EQ(shell("exit 42").exit_code, 42);
  Spec container = spec();
  container.init = true;
  EXPECT_EQ(shell(container, "busybox kill -TERM $$").exit_code, 143);
}

TEST_P(Program, IsFoundInItsOwnPath) {
  Spec container = spec();
  container.process.args = {"busybox", "echo", "found"};
  EXPECT_EQ(run(container).out, "found\n");
  container.process.env = {"PATH=/nowhere:/tmp"};
  auto ran = run(container);
  EXPECT_EQ(ran.error_call, "exec");
  EXPECT_EQ(ran.error_code, ENOENT);
  EXPECT_NE(ran.error.find("busybox"), std::string::npos);
}

TEST_P(Program, ThatCannotRunSaysWhy) {
  Spec container = spec();
  container.process.args = {"/etc"};
  auto ran = run(container);
  EXPECT_EQ(ran.error_call, "exec");
  EXPECT_EQ(ran.error_code, EACCES);
  container.process.args = {"/not/there"};
  EXPECT_EQ(run(container).error_code, ENOENT);
  container.process.args = {};
  EXPECT_NE(run(container).error, "");
}

TEST_P(Program, WorkingDirectoryIsMadeWhereMissing) {
  Spec container = spec();
  container.process.cwd = "/srv/new/place";
  EXPECT_EQ(shell(container, "pwd; busybox stat -c %u .").out, "/srv/new/place\n0\n");
}

TEST_P(Program, InputReachesIt) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "cat"};
  EXPECT_EQ(run(container, "hello").out, "hello");
}

TEST_P(Program, InitReapsAndForwards) {
  Spec container = spec();
  container.init = true;
  // The orphan's parent becomes pid 1, which must reap it; the program itself is not pid 1.
  auto ran =
      shell(container,
            "(busybox sh -c 'echo $$ > /tmp/orphan' &); echo $$; while [ ! -s /tmp/orphan ]; "
            "do :; done; while [ -d /proc/$(busybox cat /tmp/orphan) ]; do :; done; exit 7");
  EXPECT_EQ(ran.out, "2\n");
  EXPECT_EQ(ran.exit_code, 7);
  auto text = beside(
      [&] {
        Spec waiting = container;
        waiting.process.args = {"/bin/busybox", "sleep", "1000"};
        return waiting;
      }(),
      [](Launch& launch) {
        auto sent = sys::pidfd_send_signal(launch.pidfd(), SIGTERM);
        auto ending = sys::wait_pidfd(launch.pidfd());
        return sent && ending ? std::to_string((*ending)->shell_code()) : "FAILED";
      });
  EXPECT_TRUE(text.starts_with("143")) << text;
}

TEST_P(Program, InitDoesNotShowTheCommandThatStartedIt) {
  Spec container = spec();
  container.init = true;
  auto ran = shell(container,
                   "busybox tr '\\0' ' ' </proc/1/cmdline; busybox cat /proc/1/comm; "
                   "busybox tr '\\0' ' ' </proc/$$/cmdline");
  EXPECT_TRUE(ran.out.starts_with("lyr-init ")) << ran.out;
  EXPECT_NE(ran.out.find("lyr-init\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("busybox"), std::string::npos) << ran.out;
}

TEST_P(Program, InitKeepsItsMemoryToItself) {
  Spec container = spec();
  container.init = true;
  container.process.capabilities.push_back("CAP_SYS_PTRACE");
  auto ran = shell(container,
                   "busybox readlink /proc/1/exe; busybox cat /proc/1/environ; "
                   "busybox cat /proc/1/maps; (: > /proc/1/exe) 2>/dev/null && echo "
                   "wrote; true");
  EXPECT_EQ(ran.out.find("sandbox_test"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("wrote"), std::string::npos) << ran.out;
}

TEST_P(Program, DiesWithItsCreator) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  // The creator ends without a word; the pid it reports must end too.
  auto text = as_caller([&] {
    auto launch = Launch::begin(container, {});
    if (!launch || !launch->start()) return std::string("FAILED");
    std::string pid = std::to_string(launch->pid());
    new Launch(std::move(*launch));  // as after SIGKILL: nothing is cleaned up
    return pid;
  });
  auto pidfd = sys::pidfd_open(static_cast<pid_t>(std::atoi(text.c_str())));
  if (pidfd) {
    struct pollfd item{pidfd->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&item, 1, 10000), 1) << "the container outlived its creator";
  } else {
    EXPECT_EQ(pidfd.error().code, ESRCH);
  }
}

TEST_P(Program, NotStartedIsKilled) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "touch", "/tmp/ran"};
  auto text = as_caller([&] {
    auto launch = Launch::begin(container, {});
    if (!launch || !launch->finish()) return std::string("FAILED");
    return std::to_string(launch->pid());
  });
  auto pidfd = sys::pidfd_open(static_cast<pid_t>(std::atoi(text.c_str())));
  EXPECT_FALSE(pidfd.has_value());
  EXPECT_FALSE(*sys::exists_at(sys::cwd(), (root() + "/tmp/ran").c_str()));
}

TEST_P(Program, TerminalIsTheContainersOwn) {
  Spec container = spec();
  container.process.terminal = true;
  container.process.args = {"/bin/busybox", "sh", "-c",
                            "busybox tty; busybox stat -c %t /dev/console; busybox ps -o tty | "
                            "busybox tail -1; read line; echo got $line"};
  auto text = as_caller([&] {
    auto launch = Launch::begin(container, {});
    if (!launch) return "FAILED " + describe(launch.error());
    auto finished = launch->finish();
    Fd terminal = launch->take_terminal();
    auto started = launch->start();
    if (!finished || !started || !terminal) return std::string("FAILED to start");
    std::string out;
    char buffer[512];
    bool asked = false;  // typed earlier, the echo could come between two lines of output
    for (;;) {
      auto got = sys::read(terminal, std::as_writable_bytes(std::span(buffer)));
      if (!got || *got == 0) break;  // EIO: the last slave is closed
      out.append(buffer, *got);
      if (asked || out.find("136,0") == std::string::npos) continue;
      static_cast<void>(sys::write_all(terminal, "line\n"));
      asked = true;
    }
    static_cast<void>(sys::wait_pidfd(launch->pidfd()));
    return out;
  });
  EXPECT_NE(text.find("/dev/pts/0\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("88\r\n136,0\r\n"), std::string::npos) << text;  // 136:0 is pts/0
  EXPECT_NE(text.find("got line"), std::string::npos) << text;
}

TEST_P(Program, UserThatIsNotMappedIsRefusedOrRunsAsTheOneId) {
  Spec container = spec();
  container.process.user = {2000000000, 2000000000, {}};
  auto ran = shell(container, "busybox id -u");
  if (GetParam() == Mode::single) {
    EXPECT_EQ(ran.out, "0\n");
    ASSERT_EQ(ran.warnings.size(), 1U);
    EXPECT_NE(ran.warnings[0].find("2000000000"), std::string::npos);
  } else {
    EXPECT_NE(ran.error.find("2000000000:2000000000 is outside"), std::string::npos) << ran.error;
  }
}

}  // namespace
}  // namespace lyr::sandbox::testing
