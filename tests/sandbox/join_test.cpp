// SPDX-License-Identifier: Apache-2.0
// Further processes of a running container.
#include <sys/wait.h>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Join : public SandboxTest {
 protected:
  // `script` by `process` in a container that sleeps.
  std::string joined(Spec container, Process process, const std::string& script) {
    container.process.args = {"/bin/busybox", "sleep", "1000"};
    if (!script.empty()) process.args = {"/bin/busybox", "sh", "-c", script};
    return beside(container, [&](Launch& launch) {
      auto ran = run_joined(container, launch, process);
      if (!ran.error.empty())
        return "error " + ran.error_call + " " + std::to_string(ran.error_code) + " " + ran.error;
      return ran.out + "exit " + std::to_string(ran.exit_code);
    });
  }
  std::string joined(const std::string& script) {
    Spec container = spec();
    return joined(container, container.process, script);
  }
};
LYR_IN_EACH_MODE(Join);

TEST_P(Join, RunsBesideTheFirstProcess) {
  EXPECT_EQ(joined("busybox cat /proc/1/cmdline | busybox tr '\\0' ' '; busybox hostname; exit 9"),
            "/bin/busybox sleep 1000 box\nexit 9");
}

TEST_P(Join, IsInAllTheNamespacesOfTheContainer) {
  EXPECT_EQ(
      joined("for n in user pid mnt net ipc uts cgroup; do [ \"$(busybox readlink "
             "/proc/self/ns/$n)\" = \"$(busybox readlink /proc/1/ns/$n)\" ] || echo $n; done"),
      "exit 0");
}

TEST_P(Join, HasTheSameBounds) {
  EXPECT_EQ(joined("busybox grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|Seccomp|NoNewPrivs):' "
                   "/proc/self/status | busybox tr -d '\\n\\t'"),
            "CapInh:0000000000000000CapPrm:00000000a80425fbCapEff:00000000a80425fb"
            "CapBnd:00000000a80425fbCapAmb:0000000000000000NoNewPrivs:0Seccomp:2exit 0");
}

TEST_P(Join, LeaksNoDescriptor) {
  Spec container = spec();
  Process process = container.process;
  process.args = {"/bin/probe", "fds"};
  EXPECT_EQ(joined(container, process, ""), "exit 0");
}

TEST_P(Join, HasItsOwnUserEnvironmentAndDirectory) {
  Spec container = spec();
  Process process = container.process;
  process.env = {"ONLY=this"};
  process.cwd = "/tmp";
  if (GetParam() != Mode::single) process.user = {12, 34, {}};
  std::string ids = GetParam() == Mode::single ? "0:0" : "12:34";
  EXPECT_EQ(joined(container, process,
                   "/bin/busybox env | /bin/busybox grep ONLY; pwd; echo "
                   "$(/bin/busybox id -u):$(/bin/busybox id -g)"),
            "ONLY=this\n/tmp\n" + ids + "\nexit 0");
}

TEST_P(Join, MakesNoWorkingDirectory) {
  Spec container = spec();
  Process process = container.process;
  process.cwd = "/not/there";
  EXPECT_EQ(joined(container, process, "pwd"),
            "error  2 the working directory /not/there is not in the container");
}

// Its end is ours to see: unseen, the container's pid 1 could not end either. Who fails first is a
// race between the program and the go-between that made it, hence the number.
TEST_P(Join, ARefusedProcessLeavesNoChild) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  Process process = container.process;
  process.cwd = "/not/there";
  auto children = [] { return read_text("/proc/thread-self/children"); };
  auto text = beside(container, [&](Launch& launch) -> std::string {
    std::string before = children();
    for (int i = 0; i < 200; ++i) {
      if (run_joined(container, launch, process).error.empty()) return "not refused";
      if (children() != before) return "left " + std::to_string(::wait(nullptr));
    }
    return "none";
  });
  EXPECT_EQ(text, "none");
}

TEST_P(Join, MissingProgramSaysSo) {
  Spec container = spec();
  Process process = container.process;
  process.args = {"nonesuch"};
  EXPECT_TRUE(joined(container, process, "").starts_with("error exec 2 ")) << "ENOENT";
}

TEST_P(Join, WorksUnderInit) {
  Spec container = spec();
  container.init = true;
  EXPECT_EQ(joined(container, container.process, "busybox hostname"), "box\nexit 0");
}

TEST_P(Join, HasATerminalOfTheContainersOwn) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  Process process = container.process;
  process.terminal = true;
  process.args = {"/bin/busybox", "tty"};
  auto text = beside(container, [&](Launch& launch) {
    auto program = join(container, launch.pidfd(), process, {});
    if (!program) return "FAILED " + describe(program.error());
    std::string out;
    char buffer[128];
    for (;;) {
      auto got = sys::read(program->terminal, std::as_writable_bytes(std::span(buffer)));
      if (!got || *got == 0) break;
      out.append(buffer, *got);
    }
    static_cast<void>(sys::wait_pidfd(program->pidfd));
    return out;
  });
  EXPECT_EQ(text, "/dev/pts/0\r\n");
}

TEST_P(Join, IntoAnEndedContainerFails) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  auto text = beside(container, [&](Launch& launch) {
    static_cast<void>(sys::pidfd_send_signal(launch.pidfd(), SIGKILL));
    static_cast<void>(sys::wait_pidfd(launch.pidfd()));
    auto ran = run_joined(container, launch, container.process);
    return ran.error_code != 0 ? "refused" : ran.out;
  });
  EXPECT_TRUE(text.starts_with("refused")) << text;
}

}  // namespace
}  // namespace lyr::sandbox::testing
