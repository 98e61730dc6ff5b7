// SPDX-License-Identifier: Apache-2.0
#include "base/sys_random.h"

#include <sys/random.h>

namespace lyr::sys {

Result<uint64_t> random_u64() {
  uint64_t number = 0;
  // Requests of up to 256 bytes are never cut short nor interrupted once the pool is ready
  // (getrandom(2)).
  if (::getrandom(&number, sizeof number, 0) != sizeof number) return fail_errno("getrandom");
  return number;
}

}  // namespace lyr::sys
