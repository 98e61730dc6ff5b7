// SPDX-License-Identifier: Apache-2.0
#include "unionfs/askers.h"

#include <sys/ioctl.h>

#include "base/sys_process.h"

namespace lyr::unionfs {

// NS_GET_PID_FROM_PIDNS of ioctl_nsfs(2), which older headers lack.
constexpr unsigned long get_pid_from_pid_namespace = _IOR(0xb7, 0x6, int);

uint32_t Askers::thread(uint32_t asker) const {
  if (here_ || asker == 0) return asker;
  if (!pid_namespace_) return 0;
  auto number = sys::ioctl_number(pid_namespace_, get_pid_from_pid_namespace, asker);
  return number && *number > 0 ? static_cast<uint32_t>(*number) : 0;
}

}  // namespace lyr::unionfs
