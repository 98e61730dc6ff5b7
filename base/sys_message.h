// SPDX-License-Identifier: Apache-2.0
// Messages to a device that takes each as a whole, by one call.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

// The bytes taken, of all parts as one message (writev(2)).
Result<size_t> write_message(const Fd& device, std::span<const struct iovec> parts);

}  // namespace lyr::sys
