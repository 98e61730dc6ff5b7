// SPDX-License-Identifier: Apache-2.0
// What a container sees of itself and of the host.
#include "tests/sandbox/fixture.h"

namespace lyr::sandbox::testing {
namespace {

class Isolation : public SandboxTest {};

TEST_P(Isolation, RunsAProgramAsPidOne) {
  auto ran = shell("echo $$; busybox id -u; busybox hostname");
  EXPECT_EQ(ran.error, "");
  EXPECT_EQ(ran.out, "1\n0\nbox\n");
  EXPECT_EQ(ran.exit_code, 0);
}

LYR_IN_EACH_MODE(Isolation);

}  // namespace
}  // namespace lyr::sandbox::testing
