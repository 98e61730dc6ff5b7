// SPDX-License-Identifier: Apache-2.0
// lyr rmi: a name of an image, and the image with its last name.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class RmiAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-f,--force", force_, "Even with several names");
    app.add_option("images", images_, "")->required();
  }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    int code = 0;
    for (const std::string& image : images_) {
      auto done = engine->remove_image(image, force_);
      if (!done) {
        std::fprintf(stderr, "lyr rmi: %s\n", describe(done.error()).c_str());
        if (!force_ || done.error().code != ENOENT) code = 1;  // as docker
        continue;
      }
      for (const std::string& line : *done) std::printf("%s\n", line.c_str());
    }
    return code;
  }

 private:
  bool force_ = false;
  std::vector<std::string> images_;
};

}  // namespace

extern const Command cmd_rmi;
const Command cmd_rmi{.name = "rmi",
                      .summary = "Remove images",
                      .arguments = "[OPTIONS] IMAGE [IMAGE...]",
                      .examples = "lyr rmi mine:1",
                      .make = make_action<RmiAction>};

}  // namespace lyr::tools
