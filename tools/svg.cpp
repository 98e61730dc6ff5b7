// SPDX-License-Identifier: Apache-2.0
#include "tools/svg.h"

#include <fmt/core.h>

namespace lyr::tools {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";  // U+FFFD

// The length of the well-formed UTF-8 character that `text` begins with; 0: there is none
// (Unicode 15, table 3-7).
size_t character_bytes(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    bool second = follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
    return second && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    bool second = follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
    return second && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

std::string_view anchor_name(Anchor anchor) {
  if (anchor == Anchor::start) return "start";
  return anchor == Anchor::middle ? "middle" : "end";
}

std::string tip_of(std::string_view tip) {
  return tip.empty() ? "" : "<title>" + html_text(tip) + "</title>";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    size_t length = character_bytes(text);
    auto first = static_cast<unsigned char>(text[0]);
    bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f;
    if (length == 0 || control) {
      result += replacement;
      length = 1;
    } else if (auto escape = escape_of(text[0]); !escape.empty()) {
      result += escape;
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

Svg::Svg(double width, double height, std::string_view id, std::string_view title,
         std::string_view description) {
  text_ = fmt::format(
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-labelledby=\"{}-title {}-desc\">\n"
      "<title id=\"{}-title\">{}</title>\n<desc id=\"{}-desc\">{}</desc>\n",
      width, height, id, id, id, html_text(title), id, html_text(description));
}

void Svg::text(double x, double y, Anchor anchor, std::string_view kind, std::string_view words) {
  text_ +=
      fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x,
                  y, anchor_name(anchor), kind, html_text(words));
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view kind) {
  text_ +=
      fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n",
                  x1, y1, x2, y2, kind);
}

void Svg::rect(double x, double y, double width, double height, std::string_view kind,
               std::string_view tip) {
  text_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\">{}</rect>\n",
      x, y, width, height, kind, tip_of(tip));
}

void Svg::circle(double x, double y, double radius, std::string_view kind, std::string_view tip) {
  text_ +=
      fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" class=\"{}\">{}</circle>\n", x,
                  y, radius, kind, tip_of(tip));
}

void Svg::polyline(std::string_view points, std::string_view kind) {
  text_ += fmt::format("<polyline points=\"{}\" class=\"{}\"/>\n", points, kind);
}

std::string Svg::point(double x, double y) { return fmt::format("{:.1f},{:.1f} ", x, y); }

}  // namespace lyr::tools
