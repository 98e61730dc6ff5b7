// SPDX-License-Identifier: Apache-2.0
// Runs something and kills it at one of its system calls that change a file, for tests that try
// each of them in turn.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <functional>

#include "tests/store/traced.h"

namespace lyr::store {

// Runs `body` in a child and kills it as it enters its `point`th call that changes something.
// Whether it was killed; when it came to its end before that, it must have succeeded.
inline bool killed_at(int point, const std::function<int()>& body) {
  auto before = [&](const TracedCall& call) -> Decision {
    bool here = changes_something(call) && point-- == 0;
    return {.kind = here ? Decision::Kind::kill : Decision::Kind::let};
  };
  Traced traced = run_traced(body, {.before = before});
  if (traced.killed) return true;
  EXPECT_TRUE(WIFEXITED(traced.status) && WEXITSTATUS(traced.status) == 0)
      << "status " << traced.status;
  return false;
}

}  // namespace lyr::store
