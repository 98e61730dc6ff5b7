// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::unionfs {

// Makes `to`, a new file, as `from` of `size` bytes: shared where the file system can, else copied
// by the kernel, with its holes.
Result<> copy_file(const Fd& from, const Fd& to, uint64_t size);

}  // namespace lyr::unionfs
