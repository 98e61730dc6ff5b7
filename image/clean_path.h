// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace lyr::image {

// An absolute path without empty, "." and ".." components, as docker cleans those it is given:
// without a look at what is there. The root is "".
std::string clean_path(std::string_view path);

}  // namespace lyr::image
