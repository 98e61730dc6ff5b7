// SPDX-License-Identifier: Apache-2.0
#include "tools/template.h"

#include <algorithm>

#include "tools/text.h"

namespace lyr::tools {
namespace {

Failure wrong(const std::string& what) { return fail_saying(EINVAL, "--format: " + what); }

std::string as_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<no value>";
  if (value.is_array()) {
    std::string text = "[";
    for (const Json& item : value) text += (text.size() > 1 ? " " : "") + as_text(item);
    return text + "]";
  }
  if (value.is_object()) {
    std::string text = "map[";
    for (const auto& [key, item] : value.items()) {
      text += (text.size() > 4 ? " " : "") + key + ":" + as_text(item);
    }
    return text + "]";
  }
  return value.dump();
}

Result<Json> field(const Json& root, std::string_view path) {
  const Json* at = &root;
  path.remove_prefix(1);
  while (!path.empty()) {
    size_t dot = path.find('.');
    std::string name(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    if (!at->is_object() || !at->contains(name)) return wrong("there is no field " + name);
    at = &(*at)[name];
  }
  return *at;
}

Result<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
      continue;
    }
    size_t end = text.front() == '"' ? text.find('"', 1) : text.find(' ');
    if (text.front() == '"') {
      if (end == std::string_view::npos) return wrong("a string without end");
      ++end;
    }
    words.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end);
  }
  return words;
}

Result<Json> operand(const Json& root, const std::string& word) {
  if (word.starts_with('.')) return field(root, word);
  if (word.starts_with('"')) return Json(word.substr(1, word.size() - 2));
  Json number = Json::parse(word, nullptr, false);
  if (number.is_number()) return number;
  return wrong("'" + word + "' is neither a field, a string, nor a number");
}

std::string map_letters(std::string text, int (*change)(int)) {
  std::ranges::transform(text, text.begin(),
                         [&](unsigned char c) { return static_cast<char>(change(c)); });
  return text;
}

Result<std::string> call(const std::string& name, const std::vector<Json>& values) {
  if (values.empty()) return wrong("'" + name + "' needs a value");
  const Json& first = values.front();
  if (name == "json") return first.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (name == "upper") return map_letters(as_text(first), ::toupper);
  if (name == "lower") return map_letters(as_text(first), ::tolower);
  if (name == "println") return as_text(first) + "\n";
  if (name == "len")
    return std::to_string(first.is_string() ? as_text(first).size() : first.size());
  if (name == "title") {
    std::string text = as_text(first);
    if (!text.empty()) text[0] = static_cast<char>(::toupper(text[0]));
    return text;
  }
  if (name == "join" && values.size() == 2 && first.is_array()) {
    std::string text;
    for (const Json& item : first) text += (text.empty() ? "" : as_text(values[1])) + as_text(item);
    return text;
  }
  if (name == "index" && values.size() == 2) {
    if (values[1].is_string() && first.is_object()) {
      return as_text(first.value(values[1].get<std::string>(), Json()));
    }
    if (values[1].is_number_unsigned() && first.is_array() && values[1] < first.size()) {
      return as_text(first[values[1].get<size_t>()]);
    }
  }
  return wrong("'" + name + "' is no function that can be called so");
}

Result<std::string> action(const Json& root, std::string_view text) {
  auto words = TRY(words_of(text));
  if (words.empty()) return wrong("an empty {{}}");
  if (words.size() == 1 && !words[0].starts_with('.') && !words[0].starts_with('"')) {
    return wrong("'" + words[0] + "' is no field (fields begin with a dot)");
  }
  if (words.size() == 1) {
    auto value = TRY(operand(root, words[0]));
    return as_text(value);
  }
  std::vector<Json> values;
  for (size_t i = 1; i < words.size(); ++i) {
    auto value = TRY(operand(root, words[i]));
    values.push_back(std::move(value));
  }
  // docker's join is (join .X ","), Go's is the same order.
  return call(words[0], values);
}

std::string unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '\\' && (next == 't' || next == 'n')) {
      result += next == 't' ? '\t' : '\n';
      ++i;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  for (size_t from = 0; from <= line.size();) {
    size_t tab = std::min(line.find('\t', from), line.size());
    cells.emplace_back(line.substr(from, tab - from));
    from = tab + 1;
  }
  return cells;
}

Result<std::string> render_table(std::string_view text, const std::vector<Json>& rows,
                                 const Json& headings) {
  std::vector<std::vector<std::string>> cells;
  if (!headings.is_null()) {
    std::string line = TRY(render(text, headings));
    cells.push_back(cells_of(line));
  }
  for (const Json& row : rows) {
    std::string line = TRY(render(text, row));
    cells.push_back(cells_of(line));
  }
  return table(cells);
}

}  // namespace

Result<std::string> render(std::string_view text, const Json& value) {
  if (text.size() > template_bytes_max) return wrong("too long");
  std::string source = unescape(text);
  std::string_view rest = source;
  std::string result;
  for (;;) {
    size_t open = rest.find("{{");
    result += rest.substr(0, open);
    if (open == std::string_view::npos) return result;
    size_t close = rest.find("}}", open);
    if (close == std::string_view::npos) return wrong("{{ without }}");
    std::string_view inside = rest.substr(open + 2, close - open - 2);
    if (inside.starts_with("- ")) inside.remove_prefix(2);
    if (inside.ends_with(" -")) inside.remove_suffix(2);
    result += TRY(action(value, inside));
    rest = rest.substr(close + 2);
  }
}

Result<std::string> render_rows(const std::string& format, const std::vector<Json>& rows,
                                const Json& headings) {
  constexpr std::string_view table_prefix = "table ";
  if (format.starts_with(table_prefix)) {
    return render_table(std::string_view(format).substr(table_prefix.size()), rows, headings);
  }
  std::string result;
  for (const Json& row : rows) {
    if (format == "json") {
      result += row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
      continue;
    }
    std::string line = TRY(render(format, row));
    result += line + "\n";
  }
  return result;
}

}  // namespace lyr::tools
