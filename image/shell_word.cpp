// SPDX-License-Identifier: Apache-2.0
#include "image/shell_word.h"

#include <algorithm>

namespace lyr::image {
namespace {

constexpr int depth_max = 20;  // of ${A:-${B:-...}}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_figure(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Expander {
 public:
  Expander(std::string_view word, const Variables& variables, int depth)
      : rest_(word), variables_(variables), depth_(depth) {}

  Result<std::string> run() {
    while (!rest_.empty()) {
      char c = take();
      if (c == '\'') {
        TRY(add_single_quoted());
      } else if (c == '"') {
        TRY(add_double_quoted());
      } else if (c == '$') {
        TRY(add_variable());
      } else if (c != '\\') {
        text_ += c;
      } else if (!rest_.empty()) {
        text_ += take();
      }
    }
    return std::move(text_);
  }

 private:
  char take() {
    char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  Result<> add_single_quoted() {
    size_t end = rest_.find('\'');
    if (end == rest_.npos) return fail_saying(EINVAL, "a ' is not closed");
    text_ += rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return {};
  }

  Result<> add_double_quoted() {
    while (!rest_.empty()) {
      char c = take();
      if (c == '"') return {};
      if (c == '$') {
        TRY(add_variable());
      } else if (c == '\\' && !rest_.empty() && std::string_view("\"$\\").contains(rest_.front())) {
        text_ += take();
      } else {
        text_ += c;
      }
    }
    return fail_saying(EINVAL, "a \" is not closed");
  }

  std::string take_name() {
    size_t length = 0;
    if (!rest_.empty() && is_figure(rest_.front())) length = 1;  // $1, as in a shell
    while (length < rest_.size() &&
           (is_name_start(rest_[length]) || (length > 0 && is_figure(rest_[length])))) {
      ++length;
    }
    std::string name(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return name;
  }

  // After the $.
  Result<> add_variable() {
    if (rest_.starts_with('{')) return add_braced();
    std::string name = take_name();
    text_ += name.empty() ? "$" : variables_(name);
    return {};
  }

  Result<> add_braced() {
    take();
    std::string name = take_name();
    std::string value = name.empty() ? "" : variables_(name);
    if (!name.empty() && rest_.starts_with('}')) {
      take();
      text_ += value;
      return {};
    }
    bool instead = rest_.starts_with(":+");
    if (name.empty() || (!instead && !rest_.starts_with(":-")))
      return fail_saying(EINVAL, "of ${...} there are ${NAME}, ${NAME:-...} and ${NAME:+...}");
    rest_.remove_prefix(2);
    std::string_view word = TRY(take_to_brace());
    if (depth_ == depth_max) return fail_saying(EINVAL, "${...} is nested too deep");
    std::string other = TRY(Expander(word, variables_, depth_ + 1).run());
    if (instead) {
      text_ += value.empty() ? "" : other;
    } else {
      text_ += value.empty() ? other : value;
    }
    return {};
  }

  // To the brace that ends this one, which is taken as well.
  Result<std::string_view> take_to_brace() {
    int open = 1;
    for (size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == '{') {
        ++open;
      } else if (rest_[i] == '}' && --open == 0) {
        std::string_view word = rest_.substr(0, i);
        rest_.remove_prefix(i + 1);
        return word;
      }
    }
    return fail_saying(EINVAL, "a ${ is not closed");
  }

  std::string_view rest_;
  const Variables& variables_;
  int depth_;
  std::string text_;
};

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  char quote = 0;
  bool in_word = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quote == 0 && is_blank(c)) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    word += c;
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::string> expand_word(std::string_view word, const Variables& variables) {
  return Expander(word, variables, 0).run();
}

}  // namespace lyr::image
