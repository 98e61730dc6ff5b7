// SPDX-License-Identifier: Apache-2.0
// lyr version.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class VersionAction : public Action {
 public:
  void define(CLI::App&) override {}
  Result<int> run(Context&) override {
    std::printf("lyr version %s\n", LYR_VERSION);
    return 0;
  }
};

}  // namespace

extern const Command cmd_version;
const Command cmd_version{.name = "version",
                          .summary = "Show lyr's version",
                          .arguments = "",
                          .examples = "",
                          .make = make_action<VersionAction>};

}  // namespace lyr::tools
