// SPDX-License-Identifier: Apache-2.0
#include "sandbox/capabilities.h"

#include <sys/prctl.h>

#include <algorithm>

#include "base/sys_process.h"

namespace lyr::sandbox {

const std::vector<std::string>& all_capabilities() {
  // linux/capability.h, by number.
  static const std::vector<std::string> names{"CAP_CHOWN",
                                              "CAP_DAC_OVERRIDE",
                                              "CAP_DAC_READ_SEARCH",
                                              "CAP_FOWNER",
                                              "CAP_FSETID",
                                              "CAP_KILL",
                                              "CAP_SETGID",
                                              "CAP_SETUID",
                                              "CAP_SETPCAP",
                                              "CAP_LINUX_IMMUTABLE",
                                              "CAP_NET_BIND_SERVICE",
                                              "CAP_NET_BROADCAST",
                                              "CAP_NET_ADMIN",
                                              "CAP_NET_RAW",
                                              "CAP_IPC_LOCK",
                                              "CAP_IPC_OWNER",
                                              "CAP_SYS_MODULE",
                                              "CAP_SYS_RAWIO",
                                              "CAP_SYS_CHROOT",
                                              "CAP_SYS_PTRACE",
                                              "CAP_SYS_PACCT",
                                              "CAP_SYS_ADMIN",
                                              "CAP_SYS_BOOT",
                                              "CAP_SYS_NICE",
                                              "CAP_SYS_RESOURCE",
                                              "CAP_SYS_TIME",
                                              "CAP_SYS_TTY_CONFIG",
                                              "CAP_MKNOD",
                                              "CAP_LEASE",
                                              "CAP_AUDIT_WRITE",
                                              "CAP_AUDIT_CONTROL",
                                              "CAP_SETFCAP",
                                              "CAP_MAC_OVERRIDE",
                                              "CAP_MAC_ADMIN",
                                              "CAP_SYSLOG",
                                              "CAP_WAKE_ALARM",
                                              "CAP_BLOCK_SUSPEND",
                                              "CAP_AUDIT_READ",
                                              "CAP_PERFMON",
                                              "CAP_BPF",
                                              "CAP_CHECKPOINT_RESTORE"};
  return names;
}

Result<uint64_t> capability_set(const std::vector<std::string>& names) {
  uint64_t set = 0;
  const auto& known = all_capabilities();
  for (const std::string& name : names) {
    auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) return fail_saying(EINVAL, "no such capability: " + name);
    set |= uint64_t{1} << (found - known.begin());
  }
  return set;
}

Result<> bound_capabilities(uint64_t set) {
  TRY(sys::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL));
  // Up to the kernel's last one, which may be newer than our list: those go too.
  for (unsigned long number = 0; number < 64; ++number) {
    if ((set >> number & 1) != 0) continue;
    auto dropped = sys::prctl(PR_CAPBSET_DROP, number);
    if (!dropped && dropped.error().code == EINVAL) return {};
    TRY(std::move(dropped));
  }
  return {};
}

}  // namespace lyr::sandbox
