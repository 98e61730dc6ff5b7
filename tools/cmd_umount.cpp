// SPDX-License-Identifier: Apache-2.0
// lyr umount: ends a union that lyr mount made. umount(8) and fusermount3 -u do the same.
#include "tools/command.h"
#include "tools/fusermount.h"

namespace lyr::tools {
namespace {

class UmountAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-l,--lazy", lazy_, "Now for new users, for those inside when they are done");
    app.add_option("target", targets_, "")->required();
  }
  Result<int> run(Context&) override {
    for (const std::string& target : targets_) {
      auto gone = unmount(target, lazy_);
      if (!gone && gone.error().code == EINVAL)
        return fail_saying(EINVAL, target + " is not mounted");
      if (!gone && gone.error().code == EBUSY)
        return fail_saying(EBUSY, target + " is in use (-l unmounts when it is not)");
      TRY(about(std::move(gone), target));
    }
    return 0;
  }

 private:
  bool lazy_ = false;
  std::vector<std::string> targets_;
};

}  // namespace

extern const Command cmd_umount;
const Command cmd_umount{.name = "umount",
                         .summary = "Unmount what lyr mount mounted",
                         .arguments = "[-l] TARGET [TARGET...]",
                         .examples = "lyr umount merged\nlyr umount -l merged",
                         .make = make_action<UmountAction>};

}  // namespace lyr::tools
