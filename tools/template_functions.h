// SPDX-License-Identifier: Apache-2.0
// What a template's values are as text, and the functions that may be called on them: Go's and
// docker's own, as far as --format is used.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/template.h"

namespace lyr::tools {

// EINVAL, as "--format: WHAT".
Failure wrong_template(const std::string& what);

// As Go prints it: [a b], map[k:v], <no value>.
std::string template_text(const Json& value);
// Go's truth: not false, 0, nothing, nor empty.
bool template_truth(const Json& value);
bool is_template_function(std::string_view name);
Result<Json> call_template_function(const std::string& name, const std::vector<Json>& values);

}  // namespace lyr::tools
