// SPDX-License-Identifier: Apache-2.0
// The system calls a container is refused, and those it needs.
#include <map>
#include <sstream>

#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Calls : public SandboxTest {
 protected:
  std::map<std::string, std::string> probe(Spec container, const std::string& part) {
    container.process.args = {"/bin/probe", part};
    auto ran = run(container);
    EXPECT_EQ(ran.error, "");
    std::map<std::string, std::string> outcomes;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) {
      size_t colon = line.find(": ");
      if (colon != line.npos) outcomes[line.substr(0, colon)] = line.substr(colon + 2);
    }
    return outcomes;
  }
};
LYR_IN_EACH_MODE(Calls);

TEST_P(Calls, SocketFamilies) {
  auto outcomes = probe(spec(), "sockets");
  for (const char* name : {"unix", "inet", "inet6", "netlink route"})
    EXPECT_EQ(outcomes[name], "ok") << name;
  for (const char* name : {"alg", "vsock", "key", "rxrpc", "tipc", "can", "bluetooth", "xdp",
                           "netlink xfrm", "netlink netfilter", "alg with a high half"})
    EXPECT_EQ(outcomes[name], "EPERM") << name;
}

TEST_P(Calls, Refused) {
  auto outcomes = probe(spec(), "calls");
  for (const char* name : {"mount",           "umount2",        "open_tree",
                           "move_mount",      "fsopen",         "fsmount",
                           "mount_setattr",   "pivot_root",     "unshare user",
                           "setns",           "clone user",     "bpf",
                           "perf_event_open", "keyctl",         "add_key",
                           "request_key",     "io_uring_setup", "userfaultfd",
                           "kexec_load",      "init_module",    "open_by_handle_at",
                           "reboot",          "swapon",         "syslog",
                           "personality"})
    EXPECT_EQ(outcomes[name], "EPERM") << name;
  for (const char* name : {"clone3", "newer than the table", "x32 getpid"})
    EXPECT_EQ(outcomes[name], "ENOSYS") << name;
  EXPECT_EQ(outcomes["ptrace"], "ESRCH");
  EXPECT_EQ(outcomes["getpid"], "ok");
}

TEST_P(Calls, ForeignArchitecture) { EXPECT_EQ(probe(spec(), "int80")["int 0x80"], "ENOSYS"); }

TEST_P(Calls, TypingIntoATerminal) {
  auto outcomes = probe(spec(), "terminal");
  for (const char* name : {"TIOCSTI", "TIOCSTI with a high half", "TIOCLINUX"})
    EXPECT_EQ(outcomes[name], "EPERM") << name;
}

TEST_P(Calls, IdsCanBeChangedOrSeemTo) {
  auto outcomes = probe(spec(), "ids");
  for (const char* name : {"chown", "fchownat", "setgroups", "setgid", "setuid"})
    EXPECT_EQ(outcomes[name], "ok") << name;
  if (GetParam() != Mode::single) return;
  EXPECT_EQ(outcomes["mkfifo"], "ok");
  EXPECT_EQ(outcomes["mknod"], "ok");
}

TEST_P(Calls, AddedCapabilitiesOpenTheirCallsOnly) {
  Spec container = spec();
  container.process.capabilities.push_back("CAP_NET_ADMIN");
  auto sockets = probe(container, "sockets");
  EXPECT_EQ(sockets["netlink netfilter"], "ok");
  auto calls = probe(container, "calls");
  EXPECT_EQ(calls["unshare user"], "EPERM");
  EXPECT_EQ(calls["bpf"], "EPERM");
  EXPECT_EQ(calls["keyctl"], "EPERM");

  container.process.capabilities.push_back("CAP_SYS_ADMIN");
  calls = probe(container, "calls");
  EXPECT_EQ(calls["mount"], "EFAULT");
  EXPECT_EQ(calls["setns"], "EBADF");
  EXPECT_EQ(calls["clone3"], "EFAULT");
  EXPECT_EQ(calls["keyctl"], "EPERM");
  EXPECT_EQ(calls["io_uring_setup"], "EPERM");
}

}  // namespace
}  // namespace lyr::sandbox::testing
