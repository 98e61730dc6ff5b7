// SPDX-License-Identifier: Apache-2.0
// JSON from outside, read strictly: limited size and depth, valid UTF-8, no key twice in an object
// (readers disagree on which one counts), no NUL in strings. What the library throws ends here.
// Every failure is EBADMSG with the reason as the subject.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace lyr::image {

using Json = nlohmann::json;

constexpr size_t json_bytes_max = 4 << 20;
constexpr size_t json_depth_max = 64;
constexpr size_t json_values_max = 1 << 20;

// `what` names the document in errors and must be a string literal.
Result<Json> parse_json(std::string_view text, const char* what);

// Fields of an object. Absent and null are the same: an empty value, or nullptr.
Result<std::string> text_field(const Json& object, const char* key);
Result<std::vector<std::string>> texts_field(const Json& object, const char* key);
// As texts_field, but one string stands for an array of one.
Result<std::vector<std::string>> text_or_texts_field(const Json& object, const char* key);
Result<std::map<std::string, std::string>> text_map_field(const Json& object, const char* key);
Result<const Json*> object_field(const Json& object, const char* key);
Result<const Json*> array_field(const Json& object, const char* key);
// These must be there.
Result<Digest> digest_field(const Json& object, const char* key);
Result<uint64_t> size_field(const Json& object, const char* key);  // 0..INT64_MAX

Failure bad_json(std::string reason);

}  // namespace lyr::image
