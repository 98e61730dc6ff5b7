// SPDX-License-Identifier: Apache-2.0
#include "tools/analysis_figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "tools/svg.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

using store::AnalysisResult;
using store::SchemeResult;

// Narrow enough to be read on a phone as it is; a wide screen shows it larger.
constexpr double figure_width = 400;
constexpr double character_width = 6.2;  // of a label's letters, about

// A range of values on a stretch of the drawing.
struct Scale {
  double low, high;  // values
  double from, to;   // places
  double operator()(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

// 1, 2 or 5 times a power of ten, so that `span` has about `count` of it.
double nice_step(double span, int count) {
  double raw = span / count;
  double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

std::string times_text(double ratio, int digits) { return fmt::format("{:.{}f}×", ratio, digits); }

double widest_ratio(const AnalysisReport& report) {
  double most = 1;
  for (const SchemeResult& scheme : report.result.schemes) {
    most = std::max(most, report.result.ratio(scheme));
    if (report.compressed) most = std::max(most, report.result.compressed_ratio(scheme));
  }
  return most;
}

// A label and the box around it.
struct Box {
  double x1, y1, x2, y2;
  bool meets(const Box& other) const {
    return x1 < other.x2 && other.x1 < x2 && y1 < other.y2 && other.y1 < y2;
  }
};

// Puts labels beside their points, where nothing is yet.
class Labels {
 public:
  explicit Labels(Box area) : area_(area) {}
  void keep_clear(double x, double y) { taken_.push_back({x - 5, y - 5, x + 5, y + 5}); }

  void place(Svg& svg, double x, double y, const std::string& kind, const std::string& words) {
    double width = character_width * static_cast<double>(words.size());
    struct Side {
      double dx, dy;
      Anchor anchor;
    };
    constexpr std::array sides{
        Side{8, 4, Anchor::start},   Side{-8, 4, Anchor::end},   Side{0, -9, Anchor::middle},
        Side{0, 17, Anchor::middle}, Side{7, -6, Anchor::start}, Side{-7, -6, Anchor::end},
        Side{7, 14, Anchor::start},  Side{-7, 14, Anchor::end},  Side{8, -16, Anchor::start},
        Side{8, 24, Anchor::start},  Side{-8, -16, Anchor::end}, Side{-8, 24, Anchor::end}};
    for (const Side& side : sides) {
      double left = x + side.dx;
      if (side.anchor == Anchor::middle) left -= width / 2;
      if (side.anchor == Anchor::end) left -= width;
      Box box{left, y + side.dy - 9, left + width, y + side.dy + 2};
      bool inside =
          box.x1 >= area_.x1 && box.x2 <= area_.x2 && box.y1 >= area_.y1 && box.y2 <= area_.y2;
      bool clear = std::ranges::none_of(taken_, [&](const Box& one) { return box.meets(one); });
      if (!inside || !clear) continue;
      svg.text(x + side.dx, y + side.dy, side.anchor, kind, words);
      taken_.push_back(box);
      return;
    }
    // No room: the point keeps its tip, and the table has its name.
  }

 private:
  Box area_;
  std::vector<Box> taken_;
};

// An index of a few layers is no index: it would only push the others together.
std::vector<SchemeResult> shown_by_index(const AnalysisResult& result) {
  auto shown = result.schemes;
  std::erase_if(shown, [](const SchemeResult& scheme) {
    return scheme.scheme->unit == store::SchemeUnit::layer;
  });
  return shown.empty() ? result.schemes : shown;
}

struct SizeRange {
  size_t first = store::size_classes;
  size_t last = 0;
  double most = 0;  // the largest share of its bytes or units that a scheme has in one class
};

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

uint64_t bytes_of(const SchemeResult& scheme) {
  uint64_t bytes = 0;
  for (const store::SizeClass& one : scheme.sizes) bytes += one.bytes;
  return bytes;
}

// The classes that any scheme has units in.
SizeRange size_range(const AnalysisResult& result) {
  SizeRange range;
  for (const SchemeResult& scheme : result.schemes) {
    uint64_t bytes = bytes_of(scheme);
    for (size_t i = 0; i < store::size_classes; ++i) {
      if (scheme.sizes[i].chunks == 0) continue;
      range.first = std::min(range.first, i);
      range.last = std::max(range.last, i);
      range.most = std::max({range.most, share(scheme.sizes[i].bytes, bytes),
                             share(scheme.sizes[i].chunks, scheme.chunks)});
    }
  }
  if (range.first > range.last) return {0, 10, 1};
  return range;
}

std::string binary_size(size_t log2) {
  constexpr std::array units{"B", "K", "M", "G", "T", "P", "E"};
  return std::to_string(uint64_t{1} << log2 % 10) + units[log2 / 10];
}

}  // namespace

std::string family_of(const store::Scheme& scheme) {
  std::string name = scheme.name;
  name = name.substr(0, name.find('-'));
  constexpr std::array known{"layer", "file", "fixed", "fastcdc", "lyr", "vram"};
  return std::ranges::find(known, name) == known.end() ? "other" : name;
}

std::string ratio_bars(const AnalysisReport& report) {
  const AnalysisResult& result = report.result;
  constexpr double row = 22, bar = 13, top = 8, left = 92, right = 52;
  double bottom = top + row * static_cast<double>(result.schemes.size());
  double most = widest_ratio(report);
  Scale x{1, std::max(most, 1.1), left, figure_width - right};
  Svg svg(figure_width, bottom + 34, "bars", "Dedupe ratio of each scheme",
          "Horizontal bars, one a scheme, that begin at 1, where nothing is saved.");
  double step = nice_step(x.high - 1, 4);
  int digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  for (double tick = 1; tick <= x.high + step / 100; tick += step) {
    svg.line(x(tick), top, x(tick), bottom, "grid");
    svg.text(x(tick), bottom + 14, Anchor::middle, "tick", times_text(tick, digits));
  }
  double y = top;
  for (const SchemeResult& scheme : result.schemes) {
    std::string family = family_of(*scheme.scheme);
    double ratio = result.ratio(scheme);
    std::string tip =
        fmt::format("{}: {:.3f}×, {} of {}", scheme.scheme->name, ratio,
                    human_size(scheme.unique_bytes), human_size(result.content_bytes));
    double end = x(std::max(ratio, 1.0));
    double middle = y + row / 2;
    if (report.compressed) {
      double packed = result.compressed_ratio(scheme);
      double to = x(std::max(packed, 1.0));
      svg.rect(left, middle - bar / 2, to - left, bar, "pale " + family,
               fmt::format("{} with zstd: {:.3f}×", scheme.scheme->name, packed));
      svg.text(to + 5, middle + 4, Anchor::start, "value", times_text(packed, 2));
    } else {
      svg.text(end + 5, middle + 4, Anchor::start, "value", times_text(ratio, 3));
    }
    svg.rect(left, middle - bar / 2, std::max(end - left, 1.0), bar, "fill " + family, tip);
    svg.text(left - 7, middle + 4, Anchor::end, family == "lyr" ? "name own" : "name",
             scheme.scheme->name);
    y += row;
  }
  svg.line(left, top, left, bottom, "axis");
  svg.text(left, bottom + 29, Anchor::start, "caption", "1× is what was there: nothing saved");
  return svg.finish();
}

std::string ratio_against_index(const AnalysisReport& report) {
  const AnalysisResult& result = report.result;
  constexpr double left = 44, top = 14, bottom = 226, right = 388;
  auto shown = shown_by_index(result);
  if (shown.empty()) return "";
  double low_x = 1e30, high_x = 0, low_y = 1e30, high_y = 1;
  for (const SchemeResult& scheme : shown) {
    double bytes = std::log10(std::max<double>(static_cast<double>(scheme.index_bytes()), 1));
    low_x = std::min(low_x, bytes);
    high_x = std::max(high_x, bytes);
    low_y = std::min(low_y, result.ratio(scheme));
    high_y = std::max(high_y, result.ratio(scheme));
  }
  double pad = std::max((high_y - low_y) * 0.12, 0.01);
  Scale x{low_x - 0.25, std::max(high_x, low_x) + 0.25, left, right};
  Scale y{low_y - pad, high_y + pad, bottom, top};
  Svg svg(figure_width, 268, "scatter", "Dedupe ratio against index memory",
          "One point a scheme: memory of its index to the right, on a logarithmic scale, and the "
          "dedupe ratio upward. Lines join schemes of one family.");
  double step = nice_step(y.high - y.low, 4);
  for (double tick = std::ceil(y.low / step) * step; tick <= y.high; tick += step) {
    svg.line(left, y(tick), right, y(tick), "grid");
    svg.text(left - 6, y(tick) + 4, Anchor::end, "tick", times_text(tick, step < 0.1 ? 2 : 1));
  }
  for (double decade = std::floor(x.low); decade <= x.high; decade += 1) {
    for (double factor : {1.0, 2.0, 5.0}) {
      double tick = decade + std::log10(factor);
      bool crowded = factor != 1 && x.high - x.low > 2;
      if (tick < x.low || tick > x.high || crowded) continue;
      svg.line(x(tick), top, x(tick), bottom, "grid");
      auto bytes = static_cast<uint64_t>(std::llround(std::pow(10.0, tick)));
      svg.text(x(tick), bottom + 15, Anchor::middle, "tick", human_size(bytes));
    }
  }
  svg.line(left, bottom, right, bottom, "axis");
  svg.text((left + right) / 2, bottom + 34, Anchor::middle, "caption",
           "memory of an index of the units that are kept");
  std::string last_family, points;
  auto end_line = [&] {
    if (std::ranges::count(points, ',') > 1) svg.polyline(points, "joined " + last_family);
    points.clear();
  };
  Labels labels({0, 0, figure_width, bottom});
  auto place_of = [&](const SchemeResult& scheme) {
    double bytes = std::max<double>(static_cast<double>(scheme.index_bytes()), 1);
    return std::pair(x(std::log10(bytes)), y(result.ratio(scheme)));
  };
  for (const SchemeResult& scheme : shown) {
    auto [at_x, at_y] = place_of(scheme);
    std::string family = family_of(*scheme.scheme);
    if (family != last_family) end_line();
    last_family = family;
    points += Svg::point(at_x, at_y);
    labels.keep_clear(at_x, at_y);
  }
  end_line();
  for (const SchemeResult& scheme : shown) {
    auto [at_x, at_y] = place_of(scheme);
    std::string family = family_of(*scheme.scheme);
    svg.circle(at_x, at_y, family == "lyr" ? 5.5 : 4, "dot " + family,
               fmt::format("{}: {:.3f}×, index {}", scheme.scheme->name, result.ratio(scheme),
                           human_size(scheme.index_bytes())));
    labels.place(svg, at_x, at_y, family == "lyr" ? "name own" : "name", scheme.scheme->name);
  }
  return svg.finish();
}

std::string size_histogram(const AnalysisReport& report, const SchemeResult& scheme) {
  constexpr double width = 190, height = 96, left = 4, right = 186, top = 6, bottom = 74;
  SizeRange range = size_range(report.result);
  uint64_t bytes = bytes_of(scheme);
  Scale x{static_cast<double>(range.first), static_cast<double>(range.last + 1), left, right};
  Scale y{0, range.most, bottom, top};
  std::string name = scheme.scheme->name;
  Svg svg(width, height, "sizes-" + name, "Sizes of the units of " + name,
          "Bars: share of the bytes in units of that size. Line: share of the number of units.");
  svg.line(left, y(range.most / 2), right, y(range.most / 2), "grid");
  std::string steps;
  for (size_t i = range.first; i <= range.last; ++i) {
    auto at = static_cast<double>(i);
    double of_bytes = share(scheme.sizes[i].bytes, bytes);
    double of_chunks = share(scheme.sizes[i].chunks, scheme.chunks);
    if (of_bytes > 0) {
      std::string tip =
          fmt::format("{} to {}: {:.1f} % of bytes, {:.1f} % of units", binary_size(i),
                      binary_size(i + 1), of_bytes * 100, of_chunks * 100);
      svg.rect(x(at) + 0.6, y(of_bytes), x(at + 1) - x(at) - 1.2, bottom - y(of_bytes),
               "fill " + family_of(*scheme.scheme), tip);
    }
    steps += Svg::point(x(at), y(of_chunks)) + Svg::point(x(at + 1), y(of_chunks));
  }
  svg.polyline(steps, "steps");
  svg.line(left, bottom, right, bottom, "axis");
  size_t stride = std::max<size_t>(1, (range.last - range.first + 1) / 5);
  for (size_t i = range.first; i <= range.last; i += stride) {
    svg.line(x(static_cast<double>(i)), bottom, x(static_cast<double>(i)), bottom + 3, "axis");
    svg.text(x(static_cast<double>(i)), bottom + 14,
             i == range.first ? Anchor::start : Anchor::middle, "tick", binary_size(i));
  }
  return svg.finish();
}

}  // namespace lyr::tools
