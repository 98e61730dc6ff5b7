// SPDX-License-Identifier: Apache-2.0
// lyr rm: one line a container it was done to.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class RmAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-f,--force", force_, "Kill it first when it runs");
    app.add_flag("-v,--volumes", volumes_, "Its anonymous volumes too");
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
      std::fprintf(stderr, "lyr rm: %s\n", describe(done.error()).c_str());
      // As docker: with -f, what is not there is said, and no failure.
      if (!force_ || done.error().code != ENOENT) code = 1;
    }
    return code;
  }

 private:
  Result<std::string> one(engine::Engine& engine, const std::string& name) const {
    TRY(engine.remove(name, force_, volumes_));
    return name;
  }

  bool force_ = false;
  bool volumes_ = false;
  std::vector<std::string> names_;
};

}  // namespace

extern const Command cmd_rm;
const Command cmd_rm{.name = "rm",
                     .summary = "Remove containers",
                     .arguments = "[OPTIONS] CONTAINER [CONTAINER...]",
                     .examples = "lyr rm web\nlyr rm -f $(lyr ps -aq)",
                     .make = make_action<RmAction>};

}  // namespace lyr::tools
