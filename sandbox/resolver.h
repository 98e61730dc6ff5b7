// SPDX-License-Identifier: Apache-2.0
// The one way to a path that an image or a container can influence: openat2 with RESOLVE_IN_ROOT |
// RESOLVE_NO_MAGICLINKS. What it finds is pinned by descriptor and never looked up again.
#pragma once

#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace lyr::sandbox {

constexpr int path_components_max = 256;  // that are made where they are missing

// The directory `path` in `root`, made with mode 0755 (and its parents) where it is missing.
Result<Fd> directory_in_root(const Fd& root, std::string_view path);
// The file `path` (whatever is there but a directory), made empty where it is missing.
Result<Fd> file_in_root(const Fd& root, std::string_view path);
// An O_PATH descriptor of `path`, or an empty one when it does not exist.
Result<Fd> find_in_root(const Fd& root, std::string_view path);

}  // namespace lyr::sandbox
