// SPDX-License-Identifier: Apache-2.0
// A template's text as a tree of blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lyr::tools {

constexpr int template_depth_max = 32;  // of blocks in blocks

// Text, an expression, or a block.
struct TemplateNode {
  enum class Kind { text, value, condition, with, loop } kind = Kind::text;
  std::string text;       // the text, or the expression
  std::string key, item;  // of a loop: variables, without the $
  std::vector<TemplateNode> body, otherwise;
};

// EINVAL says what is wrong.
Result<std::vector<TemplateNode>> parse_template(std::string_view text);
// Without white space at its ends.
std::string_view trimmed(std::string_view text);

}  // namespace lyr::tools
