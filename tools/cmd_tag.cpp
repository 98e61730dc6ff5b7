// SPDX-License-Identifier: Apache-2.0
// lyr tag: one more name for an image.
#include "image/reference.h"
#include "tools/command.h"

namespace lyr::tools {
namespace {

class TagAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("image", image_, "")->required();
    app.add_option("name", name_, "")->required();
  }
  Result<int> run(Context& context) override {
    auto reference = TRY(image::parse_reference(name_));
    if (reference.digest)
      return fail_saying(EINVAL, "a name with a digest cannot be given: " + name_);
    auto* engine = TRY(context.engine());
    auto record = TRY(engine->find_image(image_));
    auto* store = TRY(engine->store());
    TRY(store->set_tag(reference.canonical(), record.id));
    return 0;
  }

 private:
  std::string image_, name_;
};

}  // namespace

extern const Command cmd_tag;
const Command cmd_tag{.name = "tag",
                      .summary = "Give an image one more name",
                      .arguments = "IMAGE NAME[:TAG]",
                      .examples = "lyr tag debian mine:1",
                      .make = make_action<TagAction>};

}  // namespace lyr::tools
