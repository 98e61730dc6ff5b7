// SPDX-License-Identifier: Apache-2.0
#include "base/sys_message.h"

#include <cerrno>

namespace lyr::sys {

Result<size_t> write_message(const Fd& device, std::span<const struct iovec> parts) {
  for (;;) {
    ssize_t taken = ::writev(device.get(), parts.data(), static_cast<int>(parts.size()));
    if (taken >= 0) return static_cast<size_t>(taken);
    if (errno != EINTR) return fail_errno("write");
  }
}

}  // namespace lyr::sys
