// SPDX-License-Identifier: Apache-2.0
// lyr stop: one line a container it was done to.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class StopAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-t,--time", seconds_, "Seconds to wait before SIGKILL; -1: without end")
        ->type_name("SECONDS");
    app.add_option("containers", names_, "")->required();
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    int code = 0;
    for (const std::string& name : names_) {
      auto done = one(*engine, name);
      if (done) {
        std::printf("%s\n", done->c_str());
        continue;
      }
      std::fprintf(stderr, "lyr stop: %s\n", describe(done.error()).c_str());
      code = 1;
    }
    return code;
  }

 private:
  Result<std::string> one(engine::Engine& engine, const std::string& name) const {
    TRY(engine.stop(name, seconds_));
    return name;
  }

  std::optional<int> seconds_;
  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_stop;
const Command cmd_stop{.name = "stop",
                       .summary = "Stop running containers",
                       .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
                       .examples = "lyr stop web\nlyr stop -t 1 web db",
                       .make = make_action<StopAction>};

}  // namespace lyr::tools
