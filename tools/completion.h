// SPDX-License-Identifier: Apache-2.0
// Scripts that teach a shell lyr's commands and flags, made from the command table.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace lyr::tools {

// `shell`: bash, zsh or fish; else EINVAL.
Result<std::string> completion_script(std::string_view shell);

}  // namespace lyr::tools
