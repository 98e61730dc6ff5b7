// SPDX-License-Identifier: Apache-2.0
// What a container sees of itself and of the host, from inside and from outside.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys_file.h"
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Isolation : public SandboxTest {};
LYR_IN_EACH_MODE(Isolation);

TEST_P(Isolation, RunsAProgramAsPidOne) {
  auto ran = shell("echo $$; busybox id -u; busybox hostname");
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.out, "1\n0\nbox\n");
  EXPECT_EQ(ran.exit_code, 0);
}

TEST_P(Isolation, EveryNamespaceIsItsOwn) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  auto text = beside(container, [&](Launch& launch) {
    std::string same;
    for (const char* name : {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}) {
      std::string theirs = "/proc/" + std::to_string(launch.pid()) + "/ns/" + name;
      std::string ours = std::string("/proc/self/ns/") + name;
      auto a = sys::readlink_at(sys::cwd(), theirs.c_str());
      auto b = sys::readlink_at(sys::cwd(), ours.c_str());
      if (!a || !b || *a == *b) same += std::string(name) + " ";
    }
    return same;
  });
  EXPECT_EQ(text, "");
}

TEST_P(Isolation, RootInsideIsNobodyOutside) {
  Spec container = spec();
  container.process.args = {"/bin/busybox", "sleep", "1000"};
  auto text = beside(container, [&](Launch& launch) {
    std::string status = read_text("/proc/" + std::to_string(launch.pid()) + "/status");
    size_t at = status.find("\nUid:\t");
    return status.substr(at + 6, status.find('\t', at + 6) - at - 6);
  });
  EXPECT_EQ(text, std::to_string(container.id_map.uids[0].host));
  EXPECT_NE(text, "0");
}

TEST_P(Isolation, ProcShowsOnlyOwnProcesses) {
  auto ran = shell("busybox ls /proc | busybox grep '^[0-9]' | busybox tr '\\n' ' '");
  // The shell and the three of the pipe, at most.
  EXPECT_LE(ran.out.size(), 10U) << ran.out;
  EXPECT_TRUE(ran.out.starts_with("1 ")) << ran.out;
}

TEST_P(Isolation, NothingOfTheHostsTreeIsMounted) {
  auto ran = shell("busybox cut -d' ' -f5 /proc/self/mountinfo");
  for (const char* path : {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"})
    EXPECT_NE(("\n" + ran.out).find("\n" + std::string(path) + "\n"), std::string::npos) << path;
  EXPECT_EQ(ran.out.find("/tmp"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("/home"), std::string::npos) << ran.out;
}

TEST_P(Isolation, DevIsMinimal) {
  auto ran = shell("busybox ls /dev | busybox tr '\\n' ' '");
  EXPECT_EQ(ran.out,
            "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ");
  ran = shell(
      "echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c; "
      "busybox head -c 4 /dev/urandom | busybox wc -c; echo y > /dev/shm/file && "
      "busybox cat /dev/shm/file; busybox stat -c '%t:%T' /dev/null /dev/full");
  EXPECT_EQ(ran.out, "3\n4\ny\n1:3\n1:7\n");
}

TEST_P(Isolation, MaskedPathsAreEmpty) {
  auto ran = shell(
      "for f in kcore keys timer_list interrupts sched_debug; do "
      "[ -e /proc/$f ] && busybox cat /proc/$f | busybox wc -c; done; "
      "for d in /proc/scsi /proc/acpi /sys/firmware /sys/devices/virtual/powercap; do "
      "[ -d $d ] && busybox ls -A $d; done; true");
  std::string visible = ran.out;
  std::erase(visible, '\n');
  std::erase(visible, '0');
  EXPECT_EQ(visible, "") << ran.out;
}

TEST_P(Isolation, KernelSettingsAreReadOnly) {
  auto ran = shell(
      "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger "
      "/proc/sys/vm/drop_caches /proc/irq/default_smp_affinity "
      "/sys/kernel/uevent_helper /sys/fs/cgroup/new; do "
      "(echo 1 > $f) 2>/dev/null && echo wrote $f; done; busybox mkdir "
      "/sys/fs/cgroup/x 2>/dev/null && echo made a cgroup; true");
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.exit_code, 0);
}

TEST_P(Isolation, CapabilitiesAreExactlyThose) {
  auto ran = shell("busybox grep ^Cap /proc/self/status | busybox tr -d '\\n\\t'");
  EXPECT_EQ(ran.out,
            "CapInh:0000000000000000CapPrm:00000000a80425fbCapEff:00000000a80425fb"
            "CapBnd:00000000a80425fbCapAmb:0000000000000000");
}

TEST_P(Isolation, SeccompIsOnAndNoNewPrivilegesOnlyWhenAsked) {
  Spec container = spec();
  auto script =
      "busybox grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | busybox tr -d '\\t\\n'";
  EXPECT_EQ(shell(container, script).out, "NoNewPrivs:0Seccomp:2");
  container.process.no_new_privileges = true;
  EXPECT_EQ(shell(container, script).out, "NoNewPrivs:1Seccomp:2");
  container.seccomp = SeccompProfile::unconfined;
  EXPECT_EQ(shell(container, script).out, "NoNewPrivs:1Seccomp:0");
}

TEST_P(Isolation, EnvironmentIsExactlyAsGiven) {
  Spec container = spec();
  container.process.env = {"A=1", "EMPTY=", "B=two words"};
  container.process.args = {"/bin/busybox", "env"};
  EXPECT_EQ(run(container).out, "A=1\nEMPTY=\nB=two words\n");
}

TEST_P(Isolation, NoDescriptorLeaks) {
  Spec container = spec();
  container.process.args = {"/bin/probe", "fds"};
  auto text = as_caller([&] {
    // As a careless caller has them: not close-on-exec, of a host directory and of a file.
    int directory = ::open("/", O_RDONLY | O_DIRECTORY);
    ::fcntl(directory, F_DUPFD, 100);
    ::fcntl(directory, F_DUPFD, 500);
    auto ran = run_here(container, "");
    return ran.error + ran.out;
  });
  EXPECT_EQ(text, "");
}

TEST_P(Isolation, NetworkHasOnlyLoopbackAndItIsUp) {
  auto ran = shell(
      "busybox ls /sys/class/net | busybox tr '\\n' ' '; busybox ping -c 1 -W 5 "
      "127.0.0.1 | busybox grep -c 'bytes from'");
  EXPECT_EQ(ran.out, "lo 1\n");
}

TEST_P(Isolation, HostNetworkKeepsTheCallersAndSysReadOnly) {
  Spec container = spec();
  container.new_network = false;
  auto ran = shell(container,
                   "busybox readlink /proc/self/ns/net; (echo x > "
                   "/sys/kernel/uevent_helper) 2>/dev/null && echo wrote; busybox ls "
                   "/sys/class/net | busybox wc -l; true");
  auto ours = as_caller([] {
    auto link = sys::readlink_at(sys::cwd(), "/proc/self/ns/net");
    return link ? *link : "FAILED";
  });
  EXPECT_EQ(ran.error, "");
  EXPECT_TRUE(ran.out.starts_with(ours + "\n")) << ran.out;
  EXPECT_EQ(ran.out.find("wrote"), std::string::npos) << ran.out;
}

TEST_P(Isolation, UmaskIs022AndSignalsAreDefault) {
  auto ran = shell(
      "umask; busybox grep -E '^Sig(Blk|Ign)' /proc/self/status | "
      "busybox tr -d '\\t\\n'");
  EXPECT_EQ(ran.out, "0022\nSigBlk:0000000000000000SigIgn:0000000000000000");
}

TEST_P(Isolation, SessionKeyringIsItsOwn) {
  Spec container = spec();
  container.seccomp = SeccompProfile::unconfined;
  container.process.args = {"/bin/probe", "keyring"};
  auto text = as_caller([&] {
    constexpr int join_session_keyring = 1;
    ::syscall(SYS_keyctl, join_session_keyring, "of-the-caller");
    auto ran = run_here(container, "");
    return ran.error + ran.out;
  });
  EXPECT_EQ(text, "_ses\n");
}

TEST_P(Isolation, UserOfTheImageHasNoCapabilities) {
  if (GetParam() == Mode::single) return;  // the warning is tested in process_test.cpp
  Spec container = spec();
  container.process.user = {1000, 1001, {44}};
  auto ran = shell(container,
                   "busybox id; busybox grep ^Cap /proc/self/status | busybox tr -d "
                   "'\\n\\t'");
  EXPECT_EQ(ran.out,
            "uid=1000 gid=1001 groups=44,1001\n"
            "CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000"
            "CapBnd:00000000a80425fbCapAmb:0000000000000000");
}

TEST_P(Isolation, OutputCanBeReopenedByName) {
  // As images do that log to /dev/stdout.
  auto ran = shell("echo one > /dev/stdout; echo two > /dev/stderr");
  EXPECT_EQ(ran.out, "one\ntwo\n");
  if (GetParam() == Mode::single) return;
  Spec container = spec();
  container.process.user = {1000, 1000, {}};
  EXPECT_EQ(shell(container, "echo three > /dev/stdout").out, "three\n");
}

}  // namespace
}  // namespace lyr::sandbox::testing
