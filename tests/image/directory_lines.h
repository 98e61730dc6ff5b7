// SPDX-License-Identifier: Apache-2.0
// A directory of the host's as text, in the form of layer_model.h, to compare trees with.
#pragma once

#include <map>
#include <string>

namespace lyr::image {

// A line for each path below `root`, and the root's own under "". Aborts when it cannot be read.
std::map<std::string, std::string> lines_of_directory(const std::string& root);

}  // namespace lyr::image
