// SPDX-License-Identifier: Apache-2.0
// lyr commit: an image of what a container has become.
#include <cstdio>

#include "tools/command.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

class CommitAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-a,--author", options_.author, "Say who made it")->type_name("TEXT");
    app.add_option("-m,--message", options_.message, "A line for its history")->type_name("TEXT");
    app.add_option("-c,--change", options_.changes,
                   "Change how it is run: \"CMD ...\", \"ENV A=1\", as in a Dockerfile")
        ->type_name("INSTRUCTION")
        ->allow_extra_args(false);
    app.add_flag("-p,--pause,!--no-pause", options_.pause,
                 "Have it stand still meanwhile (the default, where it has a cgroup for that)");
    app.add_option("container", container_, "")->required();
    app.add_option("name", options_.name, "");
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto committed = TRY(engine->commit(container_, options_));
    for (const std::string& warning : committed.warnings)
      std::fprintf(stderr, "lyr commit: warning: %s\n", printable(warning).c_str());
    std::printf("%s\n", committed.id.text().c_str());
    return 0;
  }

 private:
  engine::CommitOptions options_;
  std::string container_;
};

}  // namespace

extern const Command cmd_commit;
const Command cmd_commit{
    .name = "commit",
    .summary = "Make an image of a container's image and what the container changed",
    .arguments = "[OPTIONS] CONTAINER [NAME[:TAG]]",
    .examples =
        "lyr commit web mine/web:2\n"
        "lyr commit -m 'with tools' -c 'CMD [\"serve\", \"-v\"]' -c 'ENV MODE=fast' web mine/web",
    .make = make_action<CommitAction>};

}  // namespace lyr::tools
