// SPDX-License-Identifier: Apache-2.0
// What is said after -o, in fuse-overlayfs's words, overlayfs's and mount(8)'s. What lyr does not
// do is refused with a reason, unless leaving it out harms nobody.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "unionfs/ids.h"

namespace lyr::tools {

struct MountOptions {
  std::vector<std::string> lower;  // the first on top
  std::vector<std::string> data;   // below those, of content alone (overlayfs's "data-only")
  std::string upper;               // empty: the union is read-only
  std::string work;
  std::string source = "lyr";       // what mount lists show
  unsigned long flags = 0;          // MS_*, for mount(2)
  std::vector<std::string> kernel;  // options for the kernel's FUSE
  bool allow_other = false;         // others may use it; who mounts by himself allows it always
  unionfs::Ids ids;
  // Owner and mode are in an attribute: of root's alone, or of the user's.
  enum class Permissions { real, security_xattr, user_xattr };
  Permissions permissions = Permissions::real;
  bool follow_redirects = true;
  bool make_redirects = false;
  bool user_xattrs = false;  // marks are "user.overlay." even where they could be "trusted."
  bool durable = true;       // a copy is on disk before it hides the original
  bool sync = true;          // fsync does something
  bool is_volatile = false;  // both of these are off
  bool xattrs = true;
  bool acls = true;
  bool writeback = true;
  bool static_links = false;
  bool several_threads = false;
  bool debug = false;
  bool io_uring = false;     // FUSE over io_uring
  bool passthrough = false;  // the kernel reads and writes the upper's files itself
  bool file_flags = false;   // chattr's
  double timeout_s = 1e9;
};

// Each text is what followed one -o: options between commas; "\," is a comma of a value's, and "\:"
// a colon of a directory's. EINVAL with a sentence for a person.
Result<MountOptions> parse_mount_options(const std::vector<std::string>& texts);

}  // namespace lyr::tools
