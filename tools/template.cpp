// SPDX-License-Identifier: Apache-2.0
#include "tools/template.h"

#include <algorithm>
#include <map>

#include "tools/template_functions.h"
#include "tools/template_parser.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

class Renderer {
 public:
  explicit Renderer(const Json& root) : root_(root) {}

  Result<> render(const std::vector<TemplateNode>& nodes, const Json& dot, std::string& to) {
    for (const TemplateNode& node : nodes) {
      if (node.kind == TemplateNode::Kind::text) {
        to += node.text;
        continue;
      }
      Json value = TRY(pipeline(node.text, dot));
      switch (node.kind) {
        case TemplateNode::Kind::condition:
          TRY(render(template_truth(value) ? node.body : node.otherwise, dot, to));
          break;
        case TemplateNode::Kind::with:
          TRY(template_truth(value) ? render(node.body, value, to)
                                    : render(node.otherwise, dot, to));
          break;
        case TemplateNode::Kind::loop:
          TRY(loop(node, value, dot, to));
          break;
        default:
          to += template_text(value);
      }
    }
    return {};
  }

 private:
  Result<> loop(const TemplateNode& node, const Json& value, const Json& dot, std::string& to) {
    if (!value.is_structured() && !value.is_null())
      return wrong_template("{{range}} needs a list or a map");
    if (value.empty()) return render(node.otherwise, dot, to);
    size_t number = 0;
    for (const auto& [key, item] : value.items()) {
      if (!node.key.empty()) variables_[node.key] = value.is_array() ? Json(number) : Json(key);
      if (!node.item.empty()) variables_[node.item] = item;
      ++number;
      TRY(render(node.body, item, to));
    }
    return {};
  }

  // "json .X", ".X | json": what is left of a bar is the last argument of what is right of it.
  Result<Json> pipeline(const std::string& text, const Json& dot) {
    auto words = TRY(words_of(text));
    std::optional<Json> piped;
    for (size_t from = 0; from < words.size() || !piped;) {
      size_t bar = static_cast<size_t>(
          std::find(words.begin() + static_cast<ptrdiff_t>(from), words.end(), "|") -
          words.begin());
      std::vector<std::string> part(words.begin() + static_cast<ptrdiff_t>(from),
                                    words.begin() + static_cast<ptrdiff_t>(bar));
      piped = TRY(command(part, dot, std::move(piped)));
      from = bar + 1;
    }
    return std::move(*piped);
  }

  Result<Json> command(const std::vector<std::string>& words, const Json& dot,
                       std::optional<Json> piped) {
    if (words.empty()) return wrong_template("nothing beside a |");
    const std::string& first = words[0];
    bool is_name = std::isalpha(static_cast<unsigned char>(first[0])) != 0 && first != "true" &&
                   first != "false";
    if (!is_name) {
      if (words.size() > 1 || piped) return wrong_template("'" + first + "' is no function");
      return operand(first, dot);
    }
    if (!is_template_function(first)) {
      return wrong_template("there is no function '" + first + "' (fields begin with a dot)");
    }
    std::vector<Json> values;
    for (size_t i = 1; i < words.size(); ++i) {
      Json value = TRY(operand(words[i], dot));
      values.push_back(std::move(value));
    }
    if (piped) values.push_back(std::move(*piped));
    if (values.empty()) return wrong_template("'" + first + "' needs a value");
    return call_template_function(first, values);
  }

  Result<Json> operand(const std::string& word, const Json& dot) {
    if (word == ".") return dot;
    if (word.starts_with('.')) return field(dot, word);
    if (word.starts_with('"')) return Json(word.substr(1, word.size() - 2));
    if (word.starts_with('$')) {
      size_t end = std::min(word.find('.'), word.size());
      std::string name = word.substr(1, end - 1);
      if (name.empty()) return field(root_, word.substr(end));
      auto found = variables_.find(name);
      if (found == variables_.end()) return wrong_template("there is no variable $" + name);
      return field(found->second, word.substr(end));
    }
    Json literal = Json::parse(word, nullptr, false);
    if (literal.is_number() || literal.is_boolean()) return literal;
    return wrong_template("'" + word + "' is neither a field, a text, nor a number");
  }

  static Result<Json> field(const Json& from, std::string_view path) {
    const Json* at = &from;
    while (!path.empty()) {
      path.remove_prefix(1);
      size_t dot = std::min(path.find('.'), path.size());
      std::string name(path.substr(0, dot));
      path = path.substr(dot);
      if (!at->is_object() || !at->contains(name))
        return wrong_template("there is no field " + name);
      at = &(*at)[name];
    }
    return Json(*at);
  }

  static Result<std::vector<std::string>> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
      size_t end =
          text.front() == '"' ? text.find('"', 1) : std::min(text.find_first_of(" |"), text.size());
      if (text.front() == '|') end = 1;
      if (end == text.npos) return wrong_template("a text without end");
      if (text.front() == '"') ++end;
      words.emplace_back(text.substr(0, end));
      text = text.substr(end);
    }
    return words;
  }

  const Json& root_;
  std::map<std::string, Json> variables_;
};

std::string with_tabs_and_lines(std::string_view text) {
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
  if (text.size() > template_bytes_max) return wrong_template("too long");
  std::string source = with_tabs_and_lines(text);
  auto nodes = TRY(parse_template(source));
  std::string result;
  TRY(Renderer(value).render(nodes, value, result));
  return result;
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
