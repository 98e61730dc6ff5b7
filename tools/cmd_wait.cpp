// SPDX-License-Identifier: Apache-2.0
// lyr wait: one line a container it was done to.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class WaitAction : public Action {
 public:
  void define(CLI::App& app) override { app.add_option("containers", names_, "")->required(); }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    int code = 0;
    for (const std::string& name : names_) {
      auto done = one(*engine, name);
      if (done) {
        std::printf("%s\n", done->c_str());
        continue;
      }
      std::fprintf(stderr, "lyr wait: %s\n", describe(done.error()).c_str());
      code = 1;
    }
    return code;
  }

 private:
  Result<std::string> one(engine::Engine& engine, const std::string& name) const {
    int code = TRY(engine.wait(name));
    return std::to_string(code);
  }

  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_wait;
const Command cmd_wait{.name = "wait",
                       .summary = "Wait until containers end, and print their exit codes",
                       .arguments = "CONTAINER [CONTAINER...]",
                       .examples = "lyr wait job",
                       .make = make_action<WaitAction>};

}  // namespace lyr::tools
