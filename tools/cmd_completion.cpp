// SPDX-License-Identifier: Apache-2.0
// lyr completion: a script that completes lyr's commands in a shell.
#include <cstdio>

#include "tools/command.h"
#include "tools/completion.h"

namespace lyr::tools {
namespace {

class CompletionAction : public Action {
 public:
  void define(CLI::App& app) override { app.add_option("shell", shell_, "")->required(); }
  Result<int> run(Context&) override {
    std::string script = TRY(completion_script(shell_));
    std::fputs(script.c_str(), stdout);
    return 0;
  }

 private:
  std::string shell_;
};

}  // namespace

extern const Command cmd_completion;
const Command cmd_completion{.name = "completion",
                             .summary = "Print a script that completes lyr's commands in a shell",
                             .arguments = "bash|zsh|fish",
                             .examples =
                                 "source <(lyr completion bash)\n"
                                 "lyr completion fish | source",
                             .make = make_action<CompletionAction>};

}  // namespace lyr::tools
