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

// Docker's 14, for which the standard level is made (spec.cpp has them by name).
constexpr uint64_t default_capabilities =
    capability_bit(CAP_CHOWN) | capability_bit(CAP_DAC_OVERRIDE) | capability_bit(CAP_FSETID) |
    capability_bit(CAP_FOWNER) | capability_bit(CAP_MKNOD) | capability_bit(CAP_NET_RAW) |
    capability_bit(CAP_SETGID) | capability_bit(CAP_SETUID) | capability_bit(CAP_SETFCAP) |
    capability_bit(CAP_SETPCAP) | capability_bit(CAP_NET_BIND_SERVICE) |
    capability_bit(CAP_SYS_CHROOT) | capability_bit(CAP_KILL) | capability_bit(CAP_AUDIT_WRITE);

Level level_for(uint64_t capabilities) {
  if ((capabilities & capability_bit(CAP_SYS_ADMIN)) != 0) return Level::admin;
  if ((capabilities & (capability_bit(CAP_BPF) | capability_bit(CAP_PERFMON))) != 0)
    return Level::probing;
  return (capabilities & ~default_capabilities) != 0 ? Level::guarded : Level::standard;
}

}  // namespace

Result<> load_seccomp(uint64_t capabilities, bool single) {
  return sys::set_seccomp_filter(
      filters[static_cast<int>(level_for(capabilities))][single ? 1 : 0]);
}

}  // namespace lyr::sandbox
