// SPDX-License-Identifier: Apache-2.0
// lyr attach: our terminal becomes a running container's.
#include <cstdio>

#include "tools/command.h"

namespace lyr::tools {
namespace {

class AttachAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("--no-stdin", no_input_, "Do not pass standard input on");
    app.add_flag("--sig-proxy,!--no-sig-proxy", sig_proxy_, "Pass signals on to it (the default)");
    app.add_option("--detach-keys", detach_keys_, "Keys that leave it running")->type_name("KEYS");
    app.add_option("container", name_, "")->required();
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto info = TRY(engine->find(name_));
    engine::AttachOptions options;
    options.input = info.options.interactive && !no_input_;
    options.terminal = info.options.terminal;
    options.forward_signals = sig_proxy_;
    options.detach_keys = detach_keys_;
    auto outcome = TRY(engine->attach(name_, options));
    return report("attach", outcome);
  }

 private:
  bool no_input_ = false;
  bool sig_proxy_ = true;
  std::string detach_keys_ = "ctrl-p,ctrl-q";
  std::string name_;
};

}  // namespace

extern const Command cmd_attach;
const Command cmd_attach{.name = "attach",
                         .summary = "Attach to a running container",
                         .arguments = "[OPTIONS] CONTAINER",
                         .examples = "lyr attach web      # ctrl-p ctrl-q leaves it running",
                         .make = make_action<AttachAction>};

}  // namespace lyr::tools
