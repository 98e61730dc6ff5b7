// SPDX-License-Identifier: Apache-2.0
#include "tools/template_parser.h"

#include <algorithm>

#include "tools/template_functions.h"

namespace lyr::tools {
namespace {

struct Token {
  bool is_action = false;
  std::string text;
};

Result<std::vector<Token>> tokens_of(std::string_view rest) {
  std::vector<Token> tokens;
  bool trim_start = false;
  for (;;) {
    size_t open = rest.find("{{");
    std::string_view text = rest.substr(0, open);
    bool trim_end = open != rest.npos && rest.substr(open).starts_with("{{- ");
    if (trim_start) text = text.substr(std::min(text.find_first_not_of(" \t\n\r"), text.size()));
    if (trim_end) text = text.substr(0, text.find_last_not_of(" \t\n\r") + 1);
    if (!text.empty()) tokens.push_back({false, std::string(text)});
    if (open == rest.npos) return tokens;
    size_t close = rest.find("}}", open);
    if (close == rest.npos) return wrong_template("{{ without }}");
    std::string_view inside = rest.substr(open + 2, close - open - 2);
    if (trim_end) inside.remove_prefix(2);
    trim_start = inside.ends_with(" -");
    if (trim_start) inside.remove_suffix(2);
    if (trimmed(inside).empty()) return wrong_template("an empty {{}}");
    tokens.push_back({true, std::string(trimmed(inside))});
    rest = rest.substr(close + 2);
  }
}

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<std::vector<TemplateNode>> all() {
    auto nodes = TRY(list(0));
    if (at_ < tokens_.size())
      return wrong_template("{{" + tokens_[at_].text + "}} without a block");
    return nodes;
  }

 private:
  // Up to the {{else}} or {{end}} of the block it is in, or the end.
  Result<std::vector<TemplateNode>> list(int depth) {
    if (depth > template_depth_max) return wrong_template("blocks too deep in each other");
    std::vector<TemplateNode> nodes;
    for (; at_ < tokens_.size(); ++at_) {
      const Token& token = tokens_[at_];
      TemplateNode node;
      node.text = token.text;
      if (token.is_action) {
        std::string word = token.text.substr(0, token.text.find(' '));
        if (word == "end" || word == "else") return nodes;
        if (word.starts_with("/*")) continue;
        node.kind = word == "if"      ? TemplateNode::Kind::condition
                    : word == "with"  ? TemplateNode::Kind::with
                    : word == "range" ? TemplateNode::Kind::loop
                                      : TemplateNode::Kind::value;
        if (node.kind != TemplateNode::Kind::value) TRY(block(node, word.size(), depth));
      }
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  Result<> block(TemplateNode& node, size_t word_bytes, int depth) {
    std::string whole = "{{" + node.text + "}}";
    node.text = trimmed(std::string_view(node.text).substr(word_bytes));
    if (node.kind == TemplateNode::Kind::loop) TRY(variables(node));
    if (node.text.empty()) return wrong_template(whole + " needs a value");
    ++at_;
    node.body = TRY(list(depth + 1));
    if (at_ < tokens_.size() && tokens_[at_].text == "else") {
      ++at_;
      node.otherwise = TRY(list(depth + 1));
    } else if (at_ < tokens_.size() && tokens_[at_].text.starts_with("else ")) {
      // "else if" is a block in the else that shares its end.
      TemplateNode inner;
      inner.text = tokens_[at_].text.substr(5);
      inner.kind = TemplateNode::Kind::condition;
      if (!inner.text.starts_with("if ")) return wrong_template("{{" + tokens_[at_].text + "}}");
      TRY(block(inner, 2, depth + 1));
      node.otherwise.push_back(std::move(inner));
      return {};
    }
    if (at_ == tokens_.size()) return wrong_template(whole + " without {{end}}");
    return {};
  }

  // "$key, $value := .X", "$value := .X"
  static Result<> variables(TemplateNode& node) {
    size_t assign = node.text.find(":=");
    if (assign == std::string::npos) return {};
    std::string names(trimmed(std::string_view(node.text).substr(0, assign)));
    node.text = trimmed(std::string_view(node.text).substr(assign + 2));
    size_t comma = names.find(',');
    std::string first(trimmed(std::string_view(names).substr(0, comma)));
    std::string second =
        comma == std::string::npos ? "" : std::string(trimmed(names.substr(comma + 1)));
    for (const std::string* name : {&first, &second}) {
      if (!name->empty() && (!name->starts_with('$') || name->size() < 2))
        return wrong_template("'" + *name + "' is no variable ($name)");
    }
    if (comma == std::string::npos) {
      node.item = first.substr(1);
    } else {
      node.key = first.substr(1);
      node.item = second.substr(std::min<size_t>(1, second.size()));
    }
    return {};
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\n\r";
  size_t first = text.find_first_not_of(space);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

Result<std::vector<TemplateNode>> parse_template(std::string_view text) {
  auto tokens = TRY(tokens_of(text));
  return Parser(std::move(tokens)).all();
}

}  // namespace lyr::tools
