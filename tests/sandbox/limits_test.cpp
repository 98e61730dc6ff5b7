// SPDX-License-Identifier: Apache-2.0
// Resource limits: in force where the host gives the right to set them, and said where it does not.
#include "base/sys_file.h"
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Limits : public SandboxTest {
 protected:
  // In force, or a warning that names the limit: never neither.
  static bool in_force(const Ran& ran, const std::string& what) {
    for (const std::string& warning : ran.warnings) {
      if (warning.find("the " + what + " limit is not in force") != std::string::npos) return false;
    }
    return true;
  }
};
LYR_IN_EACH_MODE(Limits);

TEST_P(Limits, ForkBombEndsAtThePidsLimit) {
  Spec container = spec();
  container.resources.pids = 20;
  container.process.args = {"/bin/probe", "forks"};
  container.process.rlimits = {{"RLIMIT_NPROC", 500, 500}};  // the net below the limit under test
  auto ran = run(container);
  if (in_force(ran, "pids")) {
    EXPECT_EQ(ran.out, "forked 19: EAGAIN\n");
  } else {
    EXPECT_NE(GetParam(), Mode::root) << ran.warnings[0];
    EXPECT_NE(ran.out.find("EAGAIN"), std::string::npos) << ran.out;
  }
}

TEST_P(Limits, MemoryLimitKillsWhoTakesMore) {
  Spec container = spec();
  container.resources.memory_bytes = 16 << 20;
  auto ran = shell(container, "busybox dd if=/dev/zero of=/dev/null bs=64M count=1 2>&1; exit 3");
  if (in_force(ran, "memory")) {
    EXPECT_NE(ran.out.find("Killed"), std::string::npos) << ran.out;
  } else {
    EXPECT_NE(GetParam(), Mode::root) << ran.warnings[0];
  }
}

TEST_P(Limits, CpuQuotaIsSetOrSaid) {
  Spec container = spec();
  container.resources.cpu_quota_us = 50000;
  container.resources.cpu_shares = 512;
  auto ran = shell(container,
                   "busybox cat /sys/fs/cgroup/cpu*/cpu.cfs_quota_us "
                   "/sys/fs/cgroup/cpu.max 2>/dev/null | busybox head -1");
  if (in_force(ran, "CPU")) {
    EXPECT_TRUE(ran.out.starts_with("50000")) << ran.out;
  } else {
    EXPECT_NE(GetParam(), Mode::root) << ran.warnings[0];
  }
}

TEST_P(Limits, CgroupIsRemoved) {
  Spec container = spec();
  container.resources.pids = 20;
  auto ran = shell(container, "busybox grep pids: /proc/1/cgroup");
  EXPECT_EQ(ran.error, "");
  for (const char* path : {"/sys/fs/cgroup/pids/lyr/", "/sys/fs/cgroup/lyr/"})
    EXPECT_FALSE(*sys::exists_at(sys::cwd(), (path + container.id).c_str()));
  // Its own cgroup is the root of what it sees.
  if (in_force(ran, "pids") && !ran.out.empty()) {
    EXPECT_TRUE(trimmed(ran.out).ends_with(":/"));
  }
}

TEST_P(Limits, OnlyItsOwnCgroupsAreShown) {
  const char* list = "busybox find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d";
  EXPECT_EQ(shell(list).out, "");
  Spec container = spec();
  container.new_network = false;
  container.resources.pids = 20;
  auto ran = shell(container, list);
  bool v1 = in_force(ran, "pids") && *sys::exists_at(sys::cwd(), "/sys/fs/cgroup/pids");
  EXPECT_EQ(ran.out, v1 ? "/sys/fs/cgroup/pids\n" : "");
}

TEST_P(Limits, RlimitsAreSetAndRaisingThemIsAWarning) {
  Spec container = spec();
  container.process.rlimits = {{"RLIMIT_NOFILE", 100, 200}, {"RLIMIT_CORE", 0, 0}};
  auto ran = shell(container, "ulimit -Sn; ulimit -Hn; ulimit -c");
  EXPECT_EQ(ran.out, "100\n200\n0\n");
  EXPECT_TRUE(ran.warnings.empty());
  container.process.rlimits = {{"RLIMIT_BOGUS", 1, 1}};
  ran = shell(container, "echo runs");
  EXPECT_EQ(ran.out, "runs\n");
  ASSERT_EQ(ran.warnings.size(), 1U);
  EXPECT_NE(ran.warnings[0].find("RLIMIT_BOGUS"), std::string::npos);
}

TEST_P(Limits, OomScoreIsSet) {
  Spec container = spec();
  container.process.oom_score_adj = 500;
  EXPECT_EQ(shell(container, "busybox cat /proc/self/oom_score_adj").out, "500\n");
}

TEST_P(Limits, CgroupsAreDescribed) {
  auto text = as_caller([] { return describe_cgroups(); });
  bool known = text.starts_with("v1") || text.starts_with("v2") || text.starts_with("hybrid") ||
               text.starts_with("none (");
  EXPECT_TRUE(known) << text;
}

}  // namespace
}  // namespace lyr::sandbox::testing
