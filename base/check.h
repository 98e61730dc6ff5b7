// SPDX-License-Identifier: Apache-2.0
// CHECK: a broken invariant is a bug of ours and ends the process; an operating error never does.
#pragma once

namespace lyr {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace lyr

#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::lyr::check_failed(#condition, __FILE__, __LINE__))
