// SPDX-License-Identifier: Apache-2.0
// lyr kill: one line a container it was done to.
#include <cstdio>

#include "engine/resolve_options.h"
#include "tools/command.h"

namespace lyr::tools {
namespace {

class KillAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-s,--signal", signal_, "The signal; SIGKILL when none is said")
        ->type_name("SIGNAL");
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
      std::fprintf(stderr, "lyr kill: %s\n", describe(done.error()).c_str());
      code = 1;
    }
    return code;
  }

 private:
  Result<std::string> one(engine::Engine& engine, const std::string& name) const {
    int signal = TRY(engine::parse_signal(signal_));
    TRY(engine.kill(name, signal));
    return name;
  }

  std::string signal_ = "SIGKILL";
  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_kill;
const Command cmd_kill{.name = "kill",
                       .summary = "Send a signal to running containers",
                       .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
                       .examples = "lyr kill web\nlyr kill -s HUP web",
                       .make = make_action<KillAction>};

}  // namespace lyr::tools
