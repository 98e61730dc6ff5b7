// SPDX-License-Identifier: Apache-2.0
// lyr start: containers that exist already.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class StartAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-a,--attach", attach_, "Stay attached to its output");
    app.add_flag("-i,--interactive", interactive_, "Pass standard input on to it");
    app.add_option("containers", names_, "")->required();
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    if (attach_ || interactive_) return attached(*engine);
    int code = 0;
    for (const std::string& name : names_) {
      auto outcome = engine->start(name, std::nullopt);
      if (outcome && !outcome->failed_to_start) {
        std::printf("%s\n", name.c_str());
        continue;
      }
      std::string why = outcome ? outcome->message : describe(outcome.error());
      std::fprintf(stderr, "lyr start: %s\n", why.c_str());
      code = 1;
    }
    return code;
  }

 private:
  Result<int> attached(engine::Engine& engine) {
    if (names_.size() != 1) return fail_saying(EINVAL, "only one container can be attached to");
    auto info = TRY(engine.find(names_[0]));
    engine::AttachOptions options;
    options.input = interactive_ && info.options.interactive;
    options.terminal = info.options.terminal;
    auto outcome = TRY(engine.start(names_[0], options));
    return report("start", outcome);
  }

  bool attach_ = false;
  bool interactive_ = false;
  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_start;
const Command cmd_start{.name = "start",
                        .summary = "Start containers again",
                        .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
                        .examples = "lyr start web\nlyr start -a w",
                        .make = make_action<StartAction>};

}  // namespace lyr::tools
