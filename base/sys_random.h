// SPDX-License-Identifier: Apache-2.0
// Random bytes of the kernel, for names nobody should guess or clash on.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace lyr::sys {

Result<uint64_t> random_u64();

}  // namespace lyr::sys
