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
    bool deleted = false;
    for (const std::string& image : images_) {
      auto done = engine->remove_image(image, force_);
      if (!done) {
        std::fprintf(stderr, "lyr rmi: %s\n", describe(done.error()).c_str());
        if (!force_ || done.error().code != ENOENT) code = 1;  // as docker
        continue;
      }
      for (const std::string& line : *done) {
        std::printf("%s\n", line.c_str());
        deleted |= line.starts_with("Deleted: ");
      }
    }
    if (deleted) TRY(give_space_back(*engine));
    return code;
  }

 private:
  // The images are gone by now, whatever comes of this.
  static Result<> give_space_back(engine::Engine& engine) {
    static_cast<void>(std::fflush(stdout));
    auto* store = TRY(engine.store());
    auto collected = store->collect({});
    if (collected) return {};
    std::fprintf(stderr, "lyr rmi: the images are deleted, but not their space given back: %s\n",
                 describe(collected.error()).c_str());
    return {};
  }

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
