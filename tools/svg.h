// SPDX-License-Identifier: Apache-2.0
// A drawing for an HTML page, and text for one: whatever is said, it stays text.
#pragma once

#include <string>
#include <string_view>

namespace lyr::tools {

// For an element's content or an attribute in double quotes. Control characters and what is no
// UTF-8 become U+FFFD.
std::string html_text(std::string_view text);

enum class Anchor { start, middle, end };

// Coordinates are in a space of `width` by `height`, y downward; the page says how large it is
// shown. `kind`: classes that the page's style sheet knows.
class Svg {
 public:
  // `title` and `description` are what a screen reader says; `id` is the page's only one of the
  // name.
  Svg(double width, double height, std::string_view id, std::string_view title,
      std::string_view description);

  void text(double x, double y, Anchor anchor, std::string_view kind, std::string_view words);
  void line(double x1, double y1, double x2, double y2, std::string_view kind);
  // With `tip`: what is shown under a pointer.
  void rect(double x, double y, double width, double height, std::string_view kind,
            std::string_view tip = "");
  void circle(double x, double y, double radius, std::string_view kind, std::string_view tip = "");
  // Through points "x,y x,y ...", which point() makes.
  void polyline(std::string_view points, std::string_view kind);
  static std::string point(double x, double y);

  std::string finish() { return std::move(text_) + "</svg>\n"; }

 private:
  std::string text_;
};

}  // namespace lyr::tools
