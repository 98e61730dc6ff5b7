// SPDX-License-Identifier: Apache-2.0
// lyr diff: what a container changed in its image.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class DiffAction : public Action {
 public:
  void define(CLI::App& app) override { app.add_option("container", name_, "")->required(); }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto changes = TRY(engine->diff(name_));
    for (const unionfs::Change& change : changes) {
      std::printf("%c %s\n", static_cast<char>(change.kind), change.path.c_str());
    }
    return 0;
  }

 private:
  std::string name_;
};

}  // namespace

extern const Command cmd_diff;
const Command cmd_diff{.name = "diff",
                       .summary = "List what a container added (A), changed (C) and deleted (D)",
                       .arguments = "CONTAINER",
                       .examples = "lyr diff web",
                       .make = make_action<DiffAction>};

}  // namespace lyr::tools
