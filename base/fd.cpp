// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include <unistd.h>

namespace lyr {

void Fd::reset() {
  // Linux frees the number even when close() reports EINTR or EIO, so it is never tried again.
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

}  // namespace lyr
