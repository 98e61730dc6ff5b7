// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.h"

#include <linux/capability.h>
#include <linux/filter.h>

#include <span>

#include "base/sys_process.h"
#include "sandbox/capabilities.h"
#include "sandbox/seccomp_table.h"
#include "sandbox/spec.h"

namespace lyr::sandbox {
namespace {

#include "sandbox/seccomp_filters.inc"  // generated

constexpr std::span<const sock_filter> filters[levels][2] = {{filter_0_0, filter_0_1},
                                                             {filter_1_0, filter_1_1},
                                                             {filter_2_0, filter_2_1},
                                                             {filter_3_0, filter_3_1}};

constexpr uint64_t bit(int capability) { return uint64_t{1} << capability; }

// Docker's 14, for which the standard level is made (spec.cpp has them by name).
constexpr uint64_t default_capabilities =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) | bit(CAP_MKNOD) |
    bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) | bit(CAP_SETPCAP) |
    bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) | bit(CAP_AUDIT_WRITE);

Level level_for(uint64_t capabilities) {
  if ((capabilities & bit(CAP_SYS_ADMIN)) != 0) return Level::admin;
  if ((capabilities & (bit(CAP_BPF) | bit(CAP_PERFMON))) != 0) return Level::probing;
  return (capabilities & ~default_capabilities) != 0 ? Level::guarded : Level::standard;
}

}  // namespace

Result<> load_seccomp(uint64_t capabilities, bool single) {
  return sys::set_seccomp_filter(
      filters[static_cast<int>(level_for(capabilities))][single ? 1 : 0]);
}

}  // namespace lyr::sandbox
