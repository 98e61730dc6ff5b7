// SPDX-License-Identifier: Apache-2.0
// A tree of files as a tar stream, and back: what `lyr cp` passes between a container and the host.
// Both ends resolve every path beneath a directory that is "/" to it; a stream is not believed to
// keep within itself.
#pragma once

#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::engine {

// Writes `path` and all below it; the first entry is named by its last component. Sockets are left
// out, as tar does. `follow_link`: a link at `path` stands for what it points to. ENOENT names the
// path; ELOOP: nested too deep.
Result<> pack_tree(const Fd& root, std::string_view path, bool follow_link, const Fd& tar);

struct UnpackOptions {
  bool contents = false;    // of the first entry, a directory, rather than itself: "SOURCE/."
  bool any_stream = false;  // a tar from anywhere: all of it goes into the directory `path`
  bool keep_owner = false;  // else everything belongs to who unpacks
};
// Where the first entry goes follows docker cp: into `path` when that is a directory, else in its
// place or to its name. ENODATA: the stream is empty. What was unpacked before an error stays.
Result<> unpack_tree(const Fd& root, std::string_view path, const Fd& tar,
                     const UnpackOptions& options);

}  // namespace lyr::engine
