// SPDX-License-Identifier: Apache-2.0
// lyr run: create, start and, unless detached, stay attached.
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "tools/command.h"
#include "tools/create_flags.h"

namespace lyr::tools {
namespace {

Result<Fd> open_cid_file(const std::string& path) {
  if (path.empty()) return Fd();
  auto file = sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!file && file.error().code == EEXIST)
    return fail_saying(EEXIST, "the cidfile " + path + " exists: remove it, or name another");
  return about(std::move(file), path);
}

}  // namespace

// Makes a container of `rest`: the image, then the command. Says its warnings; writes --cidfile.
Result<engine::ContainerInfo> create_container(engine::Engine& engine, const CreateFlags& flags,
                                               const std::vector<std::string>& rest) {
  if (rest.empty()) return fail_saying(EINVAL, "say an image (lyr images lists what is here)");
  auto options = TRY(flags.options({rest.begin() + 1, rest.end()}));
  Fd cid_file =
      TRY(open_cid_file(flags.cid_file));  // first: else a container would be made in vain
  auto info = engine.create(rest[0], options);
  if (!info) {
    if (cid_file) static_cast<void>(sys::unlink_at(sys::cwd(), flags.cid_file.c_str()));
    return info;
  }
  for (const std::string& warning : info->warnings) {
    std::fprintf(stderr, "lyr: warning: %s\n", warning.c_str());
  }
  if (cid_file) TRY(about(sys::write_all(cid_file, info->id), flags.cid_file));
  return info;
}

namespace {

class RunAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-d,--detach", detach_, "Run in the background and print the container's id");
    app.add_option("--detach-keys", detach_keys_, "Keys that leave it running")->type_name("KEYS");
    app.add_flag("--sig-proxy,!--no-sig-proxy", sig_proxy_, "Pass signals on to it (the default)");
    flags_.define(app);
  }

  Result<int> run(Context& context) override {
    if (flags_.terminal && !detach_ && !sys::is_terminal(sys::standard_input()) &&
        flags_.interactive) {
      return fail_saying(ENOTTY, "the input is not a terminal: leave -t out, or run it from one");
    }
    auto* engine = TRY(context.engine());
    auto info = TRY(create_container(*engine, flags_, rest));
    auto outcome = detach_ ? start_detached(*engine, info) : start_attached(*engine, info);
    if (!outcome) return std::unexpected(std::move(outcome).error());
    return report("run", *outcome);
  }

 private:
  static Result<engine::Outcome> start_detached(engine::Engine& engine,
                                                const engine::ContainerInfo& info) {
    auto outcome = TRY(engine.start(info.id, std::nullopt));
    if (!outcome.failed_to_start) std::printf("%s\n", info.id.c_str());
    return outcome;
  }

  Result<engine::Outcome> start_attached(engine::Engine& engine,
                                         const engine::ContainerInfo& info) const {
    engine::AttachOptions attach;
    attach.input = flags_.interactive;
    attach.terminal = flags_.terminal;
    attach.forward_signals = sig_proxy_;
    attach.detach_keys = detach_keys_;
    return engine.start(info.id, attach);
  }

  CreateFlags flags_;
  bool detach_ = false;
  bool sig_proxy_ = true;
  std::string detach_keys_ = "ctrl-p,ctrl-q";
};

}  // namespace

extern const Command cmd_run;
const Command cmd_run{.name = "run",
                      .summary = "Run a command in a new container",
                      .arguments = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                      .examples =
                          "lyr run --rm -it debian bash\n"
                          "lyr run -d --name db -v data:/var/lib/db debian sleep inf\n"
                          "lyr run --rm --network host -v $PWD:/src -w /src debian make",
                      .make = make_action<RunAction>,
                      .takes_command = true,
                      .failure_code = 125};

}  // namespace lyr::tools
