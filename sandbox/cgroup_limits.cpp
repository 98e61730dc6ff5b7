// SPDX-License-Identifier: Apache-2.0
#include "sandbox/cgroup_limits.h"

#include <fcntl.h>

#include <algorithm>

#include "base/sys_file.h"

namespace lyr::sandbox {
namespace {

constexpr int64_t shares_min = 2;
constexpr int64_t shares_max = 262144;

// v1 shares 2..262144 to v2 weights 1..10000, as the OCI runtimes do (runc, libcontainer/cgroups).
int64_t weight_of(int64_t shares) {
  shares = std::clamp(shares, shares_min, shares_max);
  return 1 + (shares - shares_min) * 9999 / (shares_max - shares_min);
}

Result<> write_file(const Fd& directory, const std::string& name, const std::string& value) {
  Fd file = TRY(about(sys::open_at(directory, name.c_str(), O_WRONLY), name));
  return about(sys::write_all(file, value), name);
}

}  // namespace

std::vector<Limit> limits_of(const Resources& resources) {
  std::vector<Limit> limits;
  if (resources.memory_bytes && *resources.memory_bytes > 0) {
    std::string bytes = std::to_string(*resources.memory_bytes);
    limits.push_back({"memory", "memory", "memory.limit_in_bytes", bytes, "memory.max", bytes});
    // As Docker: as much swap again.
    std::string twice = std::to_string(*resources.memory_bytes * 2);
    limits.push_back(
        {"swap", "memory", "memory.memsw.limit_in_bytes", twice, "memory.swap.max", bytes, true});
  }
  if (resources.pids && *resources.pids > 0) {
    std::string count = std::to_string(*resources.pids);
    limits.push_back({"pids", "pids", "pids.max", count, "pids.max", count});
  }
  if (resources.cpu_quota_us && *resources.cpu_quota_us > 0) {
    std::string quota = std::to_string(*resources.cpu_quota_us);
    std::string period = std::to_string(resources.cpu_period_us);
    std::string both = quota + " " + period;
    limits.push_back({"CPU", "cpu", "cpu.cfs_period_us", period, "cpu.max", both});
    limits.push_back({"CPU", "cpu", "cpu.cfs_quota_us", quota, "cpu.max", both});
  }
  if (resources.cpu_shares && *resources.cpu_shares > 0) {
    std::string shares = std::to_string(*resources.cpu_shares);
    limits.push_back({"CPU shares", "cpu", "cpu.shares", shares, "cpu.weight",
                      std::to_string(weight_of(*resources.cpu_shares))});
  }
  return limits;
}

Result<> write_limit(const Fd& directory, const Limit& limit, bool unified) {
  return unified ? write_file(directory, limit.v2_file, limit.v2_value)
                 : write_file(directory, limit.v1_file, limit.v1_value);
}

void enable_controllers(const Fd& base) {
  // One by one: a controller that the parent lacks must not cost us the others. A base that has
  // processes of its own refuses all (the "no internal processes" rule); the limits then say so.
  for (const char* file : {"cgroup.subtree_control", "lyr/cgroup.subtree_control"}) {
    for (const char* controller : {"+memory", "+pids", "+cpu"})
      static_cast<void>(write_file(base, file, controller));
  }
}

}  // namespace lyr::sandbox
