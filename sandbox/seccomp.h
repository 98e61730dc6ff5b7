// SPDX-License-Identifier: Apache-2.0
// Installs the system call filter that was compiled when lyr was built.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace lyr::sandbox {

// `capabilities`: the process's, which open the calls they are for. `single`: calls that need more
// ids than one are answered with success. Needs no_new_privs or CAP_SYS_ADMIN.
Result<> load_seccomp(uint64_t capabilities, bool single);

}  // namespace lyr::sandbox
