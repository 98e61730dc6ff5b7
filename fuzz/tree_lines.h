// SPDX-License-Identifier: Apache-2.0
// An image's tree as text, with its files' content: in the form of layer_model.h, to compare.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "store/tree.h"

namespace lyr::fuzz {

// The bytes of a part of a file.
using ReadExtent = std::function<std::string(store::Ino, const store::Extent&)>;

// A line for each path of the tree. Aborts when the tree contradicts itself.
std::map<std::string, std::string> lines_of(const store::Tree& tree, const ReadExtent& read);

}  // namespace lyr::fuzz
