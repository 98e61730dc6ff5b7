// SPDX-License-Identifier: Apache-2.0
// Words as Dockerfiles have them, by a small part of the shell's rules: quotes, backslashes, and
// variables (Dockerfile reference, "Environment replacement").
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lyr::image {

// At blanks outside of quotes; quotes and backslashes stay.
std::vector<std::string> split_words(std::string_view text);

// The value of a variable; empty: there is none.
using Variables = std::function<std::string(std::string_view name)>;
// What a word means: without its quotes and backslashes, with $NAME, ${NAME}, ${NAME:-default} and
// ${NAME:+instead} replaced. EINVAL: a quote or a brace is not closed, or another ${form}.
Result<std::string> expand_word(std::string_view word, const Variables& variables);

}  // namespace lyr::image
