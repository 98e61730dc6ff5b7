// SPDX-License-Identifier: Apache-2.0
// lyr create: a container that is not started.
#include <cstdio>

#include "tools/command.h"
#include "tools/create_flags.h"

namespace lyr::tools {

Result<engine::ContainerInfo> create_container(engine::Engine& engine, const CreateFlags& flags,
                                               const std::vector<std::string>& rest);

namespace {

class CreateAction : public Action {
 public:
  void define(CLI::App& app) override { flags_.define(app); }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto info = TRY(create_container(*engine, flags_, rest));
    TRY(engine->make_durable(info));
    std::printf("%s\n", info.id.c_str());
    return 0;
  }

 private:
  CreateFlags flags_;
};

}  // namespace

extern const Command cmd_create;
const Command cmd_create{.name = "create",
                         .summary = "Make a container without starting it",
                         .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                         .examples = "lyr create --name w debian sleep 60\nlyr start w",
                         .make = make_action<CreateAction>,
                         .takes_command = true,
                         .failure_code = 125};

}  // namespace lyr::tools
