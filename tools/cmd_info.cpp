// SPDX-License-Identifier: Apache-2.0
// lyr info: this host, as lyr sees it.
#include <cstdio>

#include "tools/command.h"
#include "tools/create_flags.h"

namespace lyr::tools {
namespace {

class InfoAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("--union", union_mode_, "What a container that asks for this mode would get")
        ->envname("LYR_UNION")
        ->type_name("MODE");
  }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto asked = TRY(parse_union_mode(union_mode_));
    auto facts = TRY(engine->host_facts(asked));
    auto containers = TRY(engine->containers());
    auto* store = TRY(engine->store());
    auto images = TRY(store->images());
    size_t running = 0;
    for (const engine::ContainerInfo& info : containers)
      running += info.status == engine::Status::running;
    std::printf("Version: %s\nContainers: %zu (%zu running)\nImages: %zu\n", LYR_VERSION,
                containers.size(), running, images.size());
    for (const auto& [name, value] : facts) std::printf("%s: %s\n", name.c_str(), value.c_str());
    return 0;
  }

 private:
  std::string union_mode_ = "auto";
};

}  // namespace

extern const Command cmd_info;
const Command cmd_info{.name = "info",
                       .summary = "Show how lyr works on this host, and why",
                       .arguments = "",
                       .examples = "",
                       .make = make_action<InfoAction>};

}  // namespace lyr::tools
