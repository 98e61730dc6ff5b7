// SPDX-License-Identifier: Apache-2.0
// What the wrappers of system calls make of what a call returned: -1, and errno says why, is an
// error with the call's name; everything else is the result. Thread-safe.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sys {

inline Result<> check(long result, const char* call) {
  if (result == -1) return fail_errno(call);
  return {};
}

inline Result<Fd> descriptor(long result, const char* call) {
  if (result == -1) return fail_errno(call);
  return Fd(static_cast<int>(result));
}

}  // namespace lyr::sys
