// SPDX-License-Identifier: Apache-2.0
// The part of Go's templates that --format is used for: {{.Field.Sub}}, functions
// (template_functions.cpp) also by pipe ({{.X | json}}), {{if}}, {{with}}, {{range}} (with
// {{range $key, $value := .X}}), {{else}}, {{end}}, and text between, which "{{-" and "-}}" trim.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lyr::tools {

using Json = nlohmann::json;

constexpr size_t template_bytes_max = 64 << 10;

// "\t" and "\n" written as backslash sequences are taken as docker takes them. EINVAL says what is
// wrong.
Result<std::string> render(std::string_view text, const Json& value);

// --format: "json", "table TEMPLATE" or a template, once for each row; the rows as lines. A table's
// first line is the template of `headings`, an object with the fields of a row.
Result<std::string> render_rows(const std::string& format, const std::vector<Json>& rows,
                                const Json& headings = nullptr);

}  // namespace lyr::tools
