// SPDX-License-Identifier: Apache-2.0
// lyr exec: one more command in a running container.
#include <cstdio>

#include "base/sys_event.h"
#include "tools/command.h"
#include "tools/create_flags.h"

namespace lyr::tools {
namespace {

class ExecAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-i,--interactive", options_.interactive, "Keep standard input open");
    app.add_flag("-t,--tty", options_.terminal, "Give it a terminal");
    app.add_flag("-d,--detach", options_.detach, "Run it in the background");
    app.add_option("-e,--env", env_, "Set a variable, or take it from here")
        ->type_name("NAME[=VALUE]")
        ->allow_extra_args(false);
    app.add_option("--env-file", env_files_, "Read variables from a file")
        ->type_name("FILE")
        ->allow_extra_args(false);
    app.add_option("-u,--user", user_, "User and group")->type_name("NAME|UID[:GROUP|GID]");
    app.add_option("-w,--workdir", working_dir_, "Working directory in the container")
        ->type_name("DIR");
    app.add_option("--detach-keys", options_.detach_keys, "Keys that leave it running")
        ->type_name("KEYS");
  }

  Result<int> run(Context& context) override {
    if (rest.size() < 2) return fail_saying(EINVAL, "say a container and a command");
    if (options_.terminal && options_.interactive && !sys::is_terminal(sys::standard_input())) {
      return fail_saying(ENOTTY, "the input is not a terminal: leave -t out, or run it from one");
    }
    options_.command.assign(rest.begin() + 1, rest.end());
    for (const std::string& file : env_files_) {
      auto lines = TRY(read_env_file(file));
      options_.env.insert(options_.env.end(), lines.begin(), lines.end());
    }
    TRY(check_names(env_, "variable"));
    options_.env.insert(options_.env.end(), env_.begin(), env_.end());
    if (!user_.empty()) options_.user = user_;
    if (!working_dir_.empty()) options_.working_dir = working_dir_;
    auto* engine = TRY(context.engine());
    auto outcome = TRY(engine->exec(rest[0], options_));
    return report("exec", outcome);
  }

 private:
  engine::ExecOptions options_;
  std::vector<std::string> env_, env_files_;
  std::string user_, working_dir_;
};

}  // namespace

extern const Command cmd_exec;
const Command cmd_exec{.name = "exec",
                       .summary = "Run one more command in a running container",
                       .arguments = "[OPTIONS] CONTAINER COMMAND [ARG...]",
                       .examples = "lyr exec -it web sh\nlyr exec -u nobody web id",
                       .make = make_action<ExecAction>,
                       .takes_command = true};

}  // namespace lyr::tools
