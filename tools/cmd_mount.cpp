// SPDX-License-Identifier: Apache-2.0
// lyr mount: a union of plain directories, with fuse-overlayfs's command line. Under the name
// mount.fuse.lyr the program is this command alone: for mount(8), and as podman's mount_program.
#include "tools/command.h"
#include "tools/mount_options.h"
#include "tools/mount_union.h"

namespace lyr::tools {
namespace {

class MountAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-o,--options", options_,
                   "lowerdir=, upperdir=, workdir=, ro, volatile, uidmapping=, ...")
        ->type_name("OPTIONS")
        ->allow_extra_args(false);
    app.add_flag("-f,--foreground", foreground_, "Stay until it is unmounted");
    app.add_flag("-d,--debug", debug_, "Tell of each request; stays in the foreground");
    app.add_option("target", target_, "")->required();
  }

  Result<int> run(Context&) override {
    auto options = TRY(parse_mount_options(options_));
    options.debug |= debug_;
    TRY(mount_union(options, target_, foreground_ || options.debug));
    return 0;
  }

 private:
  std::vector<std::string> options_;
  bool foreground_ = false;
  bool debug_ = false;
  std::string target_;
};

}  // namespace

extern const Command cmd_mount;
const Command cmd_mount{
    .name = "mount",
    .summary = "Mount a union of plain directories, as fuse-overlayfs does",
    .arguments = "-o lowerdir=DIR[:DIR...][,upperdir=DIR,workdir=DIR][,...] TARGET",
    .examples =
        "lyr mount -o lowerdir=base,upperdir=changes,workdir=work merged\n"
        "lyr mount -o lowerdir=patches:base,nosuid merged     (read-only)\n"
        "lyr mount -o lowerdir=l,upperdir=u,workdir=w,volatile,redirect_dir=on merged\n"
        "lyr mount -o lowerdir=l,uidmapping=0:100000:65536,gidmapping=0:100000:65536 m\n"
        "ln -s $(command -v lyr) /usr/local/bin/mount.fuse.lyr\n"
        "podman --storage-opt overlay.mount_program=/usr/local/bin/mount.fuse.lyr run IMAGE",
    .make = make_action<MountAction>};

}  // namespace lyr::tools
