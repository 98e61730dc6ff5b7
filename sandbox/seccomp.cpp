// SPDX-License-Identifier: Apache-2.0
#include "sandbox/seccomp.h"

namespace lyr::sandbox {

// The filter is not compiled yet: for now there is none, and the tests that want it fail.
Result<> load_seccomp(uint64_t, bool) { return {}; }

}  // namespace lyr::sandbox
