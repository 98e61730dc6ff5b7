// SPDX-License-Identifier: Apache-2.0
#include "tools/template_functions.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace lyr::tools {
namespace {

using Values = std::vector<Json>;

Failure wrong_call(const char* how) {
  return wrong_template(std::string("it is called so: ") + how);
}

std::string map_letters(std::string text, int (*change)(int)) {
  std::ranges::transform(text, text.begin(),
                         [&](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

Result<Json> to_json(const Values& values) {
  if (values.size() != 1) return wrong_call("{{json .X}}");
  return Json(values[0].dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<Json> upper(const Values& values) {
  if (values.size() != 1) return wrong_call("{{upper .X}}");
  return Json(map_letters(template_text(values[0]), ::toupper));
}

Result<Json> lower(const Values& values) {
  if (values.size() != 1) return wrong_call("{{lower .X}}");
  return Json(map_letters(template_text(values[0]), ::tolower));
}

Result<Json> title(const Values& values) {
  if (values.size() != 1) return wrong_call("{{title .X}}");
  std::string text = template_text(values[0]);
  if (!text.empty()) text[0] = static_cast<char>(::toupper(text[0]));
  return Json(text);
}

Result<Json> println(const Values& values) {
  std::string text;
  for (const Json& value : values) text += (text.empty() ? "" : " ") + template_text(value);
  return Json(text + "\n");
}

Result<Json> length(const Values& values) {
  if (values.size() != 1) return wrong_call("{{len .X}}");
  const Json& first = values[0];
  if (first.is_string()) return Json(first.get_ref<const std::string&>().size());
  if (!first.is_structured() && !first.is_null()) return wrong_call("{{len .ListMapOrText}}");
  return Json(first.size());
}

Result<Json> join(const Values& values) {
  if (values.size() != 2 || !values[0].is_array()) return wrong_call("{{join .List \", \"}}");
  std::string text;
  for (const Json& item : values[0])
    text += (text.empty() ? "" : template_text(values[1])) + template_text(item);
  return Json(text);
}

Result<Json> split(const Values& values) {
  if (values.size() != 2) return wrong_call("{{split .Text \":\"}}");
  std::string text = template_text(values[0]);
  std::string by = template_text(values[1]);
  Json parts = Json::array();
  if (by.empty()) return wrong_call("{{split .Text \":\"}}");
  for (size_t from = 0; from <= text.size();) {
    size_t at = std::min(text.find(by, from), text.size());
    parts.push_back(text.substr(from, at - from));
    from = at + by.size();
  }
  return parts;
}

Result<Json> index(const Values& values) {
  if (values.size() < 2) return wrong_call("{{index .X \"key\"}} or {{index .X 0}}");
  Json at = values[0];
  for (size_t i = 1; i < values.size(); ++i) {
    const Json& key = values[i];
    if (key.is_string() && at.is_object()) {
      at = at.value(key.get<std::string>(), Json());
    } else if (key.is_number_unsigned() && at.is_array() && key < at.size()) {
      at = Json(at[key.get<size_t>()]);
    } else {
      return wrong_template("there is no element " + template_text(key));
    }
  }
  return at;
}

Result<Json> slice(const Values& values) {
  bool good = values.size() >= 2 && values.size() <= 3 && values[0].is_string();
  for (size_t i = 1; good && i < values.size(); ++i) good = values[i].is_number_unsigned();
  if (!good) return wrong_call("{{slice .Text 0 12}}");
  auto text = values[0].get<std::string>();
  auto from = values[1].get<size_t>();
  size_t to = values.size() == 3 ? values[2].get<size_t>() : text.size();
  if (from > to || to > text.size()) return wrong_template("slice: it is not that long");
  return Json(text.substr(from, to - from));
}

Result<Json> truncate(const Values& values) {
  if (values.size() != 2 || !values[1].is_number_unsigned()) return wrong_call("{{truncate .X 9}}");
  return Json(template_text(values[0]).substr(0, values[1].get<size_t>()));
}

Result<Json> equal(const Values& values) {
  if (values.size() < 2) return wrong_call("{{if eq .X \"y\"}}");
  return Json(std::any_of(values.begin() + 1, values.end(),
                          [&](const Json& other) { return other == values[0]; }));
}

Result<Json> unequal(const Values& values) {
  if (values.size() != 2) return wrong_call("{{if ne .X \"y\"}}");
  return Json(values[0] != values[1]);
}

Result<Json> not_true(const Values& values) {
  if (values.size() != 1) return wrong_call("{{if not .X}}");
  return Json(!template_truth(values[0]));
}

// The first that is false, or the last.
Result<Json> all_of(const Values& values) {
  if (values.empty()) return wrong_call("{{if and .X .Y}}");
  auto first = std::find_if_not(values.begin(), values.end() - 1, template_truth);
  return Json(*first);
}

Result<Json> any_of(const Values& values) {
  if (values.empty()) return wrong_call("{{if or .X .Y}}");
  auto first = std::find_if(values.begin(), values.end() - 1, template_truth);
  return Json(*first);
}

struct Function {
  std::string_view name;
  Result<Json> (*call)(const Values& values);
};
constexpr std::array functions{
    Function{"json", to_json}, Function{"upper", upper},       Function{"lower", lower},
    Function{"title", title},  Function{"println", println},   Function{"len", length},
    Function{"join", join},    Function{"split", split},       Function{"index", index},
    Function{"slice", slice},  Function{"truncate", truncate}, Function{"eq", equal},
    Function{"ne", unequal},   Function{"not", not_true},      Function{"and", all_of},
    Function{"or", any_of},
};

}  // namespace

Failure wrong_template(const std::string& what) { return fail_saying(EINVAL, "--format: " + what); }

std::string template_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<no value>";
  if (value.is_array()) {
    std::string text = "[";
    for (const Json& item : value) text += (text.size() > 1 ? " " : "") + template_text(item);
    return text + "]";
  }
  if (value.is_object()) {
    std::string text = "map[";
    for (const auto& [key, item] : value.items())
      text += (text.size() > 4 ? " " : "") + key + ":" + template_text(item);
    return text + "]";
  }
  return value.dump();
}

bool template_truth(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value != 0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.empty();
}

bool is_template_function(std::string_view name) {
  return std::ranges::any_of(functions, [&](const Function& one) { return one.name == name; });
}

Result<Json> call_template_function(const std::string& name, const std::vector<Json>& values) {
  auto found = std::ranges::find(functions, std::string_view(name), &Function::name);
  if (found == functions.end()) return wrong_template("there is no function '" + name + "'");
  return found->call(values);
}

}  // namespace lyr::tools
