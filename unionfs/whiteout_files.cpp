// SPDX-License-Identifier: Apache-2.0
// An upper that other programs wrote may have whiteouts that are files, as image layers have. They
// become overlayfs's when they are first met: from then on the union knows one kind. The new mark
// stands before the file goes, so that no crash shows what they hide.
#include <sys/stat.h>

#include "base/sys_file.h"
#include "unionfs/layer.h"
#include "unionfs/owner_access.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

Result<bool> Union::is_opaque(const Fd& directory, const Marks& marks) const {
  if (marks.opaque || !whiteout_files_) return marks.opaque;
  return as_owner(directory, S_IXUSR,
                  [&] { return sys::exists_at(directory, opaque_file_name.data()); });
}

// `fd` is the directory's; what else is in it is known already.
Result<> Union::take_whiteout_file(Node& directory, const Fd& fd, const std::string& file) {
  std::string hidden(hidden_by(file));
  bool opaque = file == opaque_file_name;
  if (hidden.empty() && !opaque) return {};
  bool present = directory.above(hidden) != nullptr;
  auto convert = [&]() -> Result<> {
    if (opaque) return upper_.set_mark(fd, opaque_mark, "y");
    if (!present) return upper_.whiteout_absent(fd, hidden.c_str());
    // What has the name here does not merge with what is hidden.
    auto object = open_own_directory(fd, hidden.c_str());
    return object ? upper_.set_mark(*object, opaque_mark, "y") : Result<>();
  };
  auto converted = convert();
  if (!opaque && !present) add_name(directory, hidden, true);
  // On a full disk it stays as it is, for now.
  if (!converted) return {};
  return as_owner(fd, S_IWUSR | S_IXUSR, [&] { return sys::unlink_at(fd, file.c_str()); });
}

}  // namespace lyr::unionfs
