// SPDX-License-Identifier: Apache-2.0
// A comparison of schemes as one page: nothing is fetched and nothing runs, so it can be mailed,
// kept and printed.
#include <fmt/core.h>

#include <algorithm>

#include "tools/analysis_figures.h"
#include "tools/analysis_report.h"
#include "tools/svg.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

using store::AnalysisResult;
using store::SchemeResult;

constexpr const char* style = R"(
:root { color-scheme: light dark;
  --paper: #fdfcf9; --ink: #1d1d1f; --soft: #5e5e63; --rule: #d9d6ce; --faint: #ebe8e0;
  --layer: #8a8f98; --file: #5f6673; --fixed: #d08a16; --fastcdc: #2166ac; --lyr: #b2182b;
  --vram: #1b7f5c; --other: #7b4b94; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16171a; --ink: #e9e7e2; --soft: #a3a19b; --rule: #3a3b40; --faint: #26272b;
  --layer: #8e939c; --file: #b4bac5; --fixed: #e2a846; --fastcdc: #6aaeea; --lyr: #f0716f;
  --vram: #4fc09a; --other: #c49ade; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.02rem/1.55 ui-serif, Charter, "Iowan Old Style", Georgia, "Times New Roman", serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.2rem 1.1rem 3rem; }
h1 { font-size: clamp(1.5rem, 4.5vw, 2.15rem); line-height: 1.2; font-weight: 600;
  letter-spacing: -0.01em; margin: 0 0 .5rem; max-width: 24em; }
h2 { font-size: 1.12rem; font-weight: 600; margin: 2.4rem 0 .6rem; padding-top: .7rem;
  border-top: 1px solid var(--rule); }
p { max-width: 42em; margin: .5rem 0; }
.summary, figcaption, .notes, footer { color: var(--soft); }
.summary { font-size: .95rem; }
.inputs { list-style: none; padding: 0; margin: .6rem 0 0; font-size: .9rem; display: flex;
  flex-wrap: wrap; gap: .3rem .5rem; }
.inputs li { border: 1px solid var(--rule); border-radius: 3px; padding: .05rem .5rem;
  overflow-wrap: anywhere; }
.inputs small { color: var(--soft); }
.pair { display: grid; gap: 1.6rem 2.4rem; margin-top: 1.8rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); align-items: start; }
.many { display: grid; gap: 1.1rem 1.3rem;
  grid-template-columns: repeat(auto-fill, minmax(min(46%, 12.5rem), 1fr)); }
figure { margin: 0; }
figcaption { font-size: .9rem; line-height: 1.4; margin-top: .4rem; }
figcaption b { color: var(--ink); font-weight: 600; }
.many figcaption { margin: 0; font-size: .84rem; }
svg { display: block; width: 100%; height: auto; overflow: visible;
  font-family: ui-sans-serif, system-ui, "Helvetica Neue", Arial, sans-serif; }
svg text { fill: var(--ink); font-size: 11px; }
svg .tick, svg .caption { fill: var(--soft); font-size: 10px; }
svg .value { font-size: 10.5px; font-variant-numeric: tabular-nums; }
svg .own { font-weight: 700; fill: var(--lyr); }
svg .grid { stroke: var(--faint); } svg .axis { stroke: var(--soft); stroke-width: .8; }
svg .joined { fill: none; stroke-width: 1.2; opacity: .5; }
svg .steps { fill: none; stroke: var(--ink); stroke-width: .9; opacity: .75; }
svg .dot { stroke: var(--paper); stroke-width: 1.2; } svg .pale { opacity: .3; }
.layer { fill: var(--layer); stroke: var(--layer); }
.file { fill: var(--file); stroke: var(--file); }
.fixed { fill: var(--fixed); stroke: var(--fixed); }
.lyr { fill: var(--lyr); stroke: var(--lyr); }
.fastcdc { fill: var(--fastcdc); stroke: var(--fastcdc); }
.vram { fill: var(--vram); stroke: var(--vram); }
.other { fill: var(--other); stroke: var(--other); }
svg rect { stroke: none; } svg polyline.joined { fill: none; }
.scroll { overflow-x: auto; margin: 0 -1.1rem; padding: 0 1.1rem; }
table { border-collapse: collapse; font-size: .88rem;
  font-variant-numeric: tabular-nums lining-nums;
  font-family: ui-sans-serif, system-ui, "Helvetica Neue", Arial, sans-serif; min-width: 46rem;
  width: 100%; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .5rem;
  font-family: ui-serif, Charter, Georgia, serif; }
th, td { padding: .28rem .55rem; text-align: right; white-space: nowrap; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
tbody th, thead th:first-child { text-align: left; font-weight: 500; }
tbody tr { border-bottom: 1px solid var(--faint); }
tbody tr:last-child { border-color: var(--ink); }
tr.own th, tr.own td { color: var(--lyr); font-weight: 600; } td.best { font-weight: 700; }
.notes { font-size: .92rem; } .notes dt { color: var(--ink); font-weight: 600; margin-top: .5rem; }
.notes dd { margin: 0; max-width: 46em; }
footer { margin-top: 2.2rem; font-size: .85rem; }
@media print { body { background: #fff; } main { max-width: none; }
  figure { break-inside: avoid; } }
)";

std::string cell(const std::string& text, bool best = false) {
  return (best ? "<td class=\"best\">" : "<td>") + html_text(text) + "</td>";
}

// What the numbers say first: the step from whole files to the scheme that saves the most.
std::string finding(const AnalysisReport& report) {
  const AnalysisResult& result = report.result;
  if (result.schemes.empty() || result.content_bytes == 0) return "There is nothing to keep.";
  auto ratio = [&](const SchemeResult& scheme) { return result.ratio(scheme); };
  const SchemeResult& best = *std::ranges::max_element(result.schemes, {}, ratio);
  std::string text = fmt::format("{} saves the most: {:.3f}×, with an index of {}.",
                                 best.scheme->name, ratio(best), human_size(best.index_bytes()));
  auto file = std::ranges::find(result.schemes, store::SchemeUnit::file,
                                [](const SchemeResult& one) { return one.scheme->unit; });
  if (file == result.schemes.end() || &*file == &best) return text;
  double more = (ratio(best) / ratio(*file) - 1) * 100;
  double index = file->unique_chunks == 0 ? 1
                                          : static_cast<double>(best.unique_chunks) /
                                                static_cast<double>(file->unique_chunks);
  return text + fmt::format(
                    " Whole files alone give {:.3f}×; the rest is {:.1f} % more, for an index "
                    "{:.1f} times as large.",
                    ratio(*file), more, index);
}

std::string inputs_list(const AnalysisReport& report) {
  std::string text = "<ul class=\"inputs\" aria-label=\"What was read\">\n";
  for (const AnalysisInput& input : report.inputs) {
    text += fmt::format("<li>{} <small>{}, {} {}</small></li>\n", html_text(input.name), input.kind,
                        grouped(input.layers), input.layers == 1 ? "layer" : "layers");
  }
  return text + "</ul>\n";
}

std::string figure(const std::string& drawing, const std::string& caption) {
  return "<figure>\n" + drawing + "<figcaption>" + caption + "</figcaption>\n</figure>\n";
}

std::string charts(const AnalysisReport& report) {
  std::string bars = "<b>Dedupe ratio.</b> Content over what each scheme keeps of it.";
  if (report.compressed) bars += " Pale: after zstd -3 of each unit by itself.";
  std::string text =
      "<div class=\"pair\">\n" + figure(ratio_bars(report), bars) +
      figure(ratio_against_index(report),
             "<b>What it costs.</b> Up and to the left is better: more is saved, less has to be "
             "remembered. Whole layers are left out.") +
      "</div>\n<h2>Sizes of the units</h2>\n<p class=\"summary\">Bars: share of the bytes. Line: "
      "share of the number of units. All have the same axes.</p>\n"
      "<div class=\"many\">\n";
  for (const SchemeResult& scheme : report.result.schemes) {
    text += figure(size_histogram(report, scheme),
                   fmt::format("<b>{}</b>, mean {}", html_text(scheme.scheme->name),
                               human_size(mean_bytes(report.result, scheme))));
  }
  return text + "</div>\n";
}

std::string number_table(const AnalysisReport& report) {
  const AnalysisResult& result = report.result;
  auto ratio = [&](const SchemeResult& scheme) { return result.ratio(scheme); };
  double best = 0;
  for (const SchemeResult& scheme : result.schemes) best = std::max(best, ratio(scheme));
  std::string text =
      "<h2>The numbers</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Table of all schemes\">\n<table>\n<caption>" +
      html_text(analysis_summary(report)) + "</caption>\n<thead><tr><th scope=\"col\">Scheme</th>";
  std::vector<std::string> heads{"Ratio", "Unique bytes", "Units", "Unique units", "Mean", "Index"};
  if (report.compressed) heads.insert(heads.end(), {"After zstd", "Ratio"});
  heads.insert(heads.end(), {"Cut", "Cut + hash"});
  for (const std::string& head : heads) text += "<th scope=\"col\">" + html_text(head) + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const SchemeResult& scheme : result.schemes) {
    bool own = std::string_view(scheme.scheme->name) == "lyr";
    text += std::string(own ? "<tr class=\"own\">" : "<tr>") + "<th scope=\"row\" title=\"" +
            html_text(scheme.scheme->summary) + "\">" + html_text(scheme.scheme->name) + "</th>" +
            cell(fmt::format("{:.3f}", ratio(scheme)), ratio(scheme) == best) +
            cell(grouped(scheme.unique_bytes)) + cell(grouped(scheme.chunks)) +
            cell(grouped(scheme.unique_chunks)) + cell(human_size(mean_bytes(result, scheme))) +
            cell(human_size(scheme.index_bytes()));
    if (report.compressed) {
      text += cell(grouped(scheme.compressed_bytes.value_or(0))) +
              cell(fmt::format("{:.3f}", result.compressed_ratio(scheme)));
    }
    uint64_t both = scheme.hash_ns == 0 ? 0 : scheme.cut_ns + scheme.hash_ns;
    text += cell(speed_text(result.read_bytes, scheme.cut_ns)) +
            cell(speed_text(result.read_bytes, both)) + "</tr>\n";
  }
  return text + "</tbody>\n</table>\n</div>\n";
}

std::string notes(const AnalysisReport& report) {
  std::string text =
      "<h2>How to read this</h2>\n<dl class=\"notes\">\n<dt>Content</dt><dd>What regular files "
      "hold, "
      "in every layer, each as often as images have it. Names, headers and metadata are not in "
      "it.</dd>\n<dt>Unit</dt><dd>What is kept once: a layer, a file, a chunk. Units are compared "
      "by XXH3-128.</dd>\n<dt>Index</dt><dd>32 bytes for each unit that is kept, in a table that "
      "is "
      "70 % full.</dd>\n<dt>Cut, cut + hash</dt><dd>Speed of finding where units end, and of that "
      "with hashing them, in CPU time of one thread on the machine that made this page. A dash: "
      "nothing is read for it.</dd>\n";
  for (const SchemeResult& scheme : report.result.schemes) {
    text += fmt::format("<dt>{}</dt><dd>{}</dd>\n", html_text(scheme.scheme->name),
                        html_text(scheme.scheme->summary));
  }
  return text +
         "</dl>\n<p class=\"notes\">FastCDC: Xia et al., USENIX ATC 2016, and IEEE TPDS 2020. "
         "VRAM: "
         "Udayashankar et al., FAST 2025 (arXiv 2508.05797), after RAM, Widodo et al., FGCS "
         "2017.</p>\n";
}

}  // namespace

std::string analysis_html(const AnalysisReport& report) {
  std::string title = fmt::format("{} ways to keep {} of files once", report.result.schemes.size(),
                                  human_size(report.result.content_bytes));
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         html_text(title) + "</title>\n<style>" + style +
         "</style>\n</head>\n<body>\n<main>\n<h1>" + html_text(title) + "</h1>\n<p>" +
         html_text(finding(report)) + "</p>\n<p class=\"summary\">" +
         html_text(analysis_summary(report)) + ".</p>\n" + inputs_list(report) + charts(report) +
         number_table(report) + notes(report) +
         "<footer>Made by lyr " LYR_VERSION
         ", lyr store analyze.</footer>\n</main>\n</body>\n"
         "</html>\n";
}

}  // namespace lyr::tools
