// SPDX-License-Identifier: Apache-2.0
// The charts of a comparison of schemes, as SVG: each takes its colours from the page's style
// sheet.
#pragma once

#include <string>

#include "tools/analysis_report.h"

namespace lyr::tools {

// A bar for each scheme: how many times smaller what it keeps is.
std::string ratio_bars(const AnalysisReport& report);
// Each scheme's ratio against what its index would take in memory.
std::string ratio_against_index(const AnalysisReport& report);
// How one scheme's units are spread over sizes: bars for bytes, a line for their number. All have
// the same axes.
std::string size_histogram(const AnalysisReport& report, const store::SchemeResult& scheme);

// The family of a scheme, which has one colour: "fastcdc" of "fastcdc-64k". A class of the page.
std::string family_of(const store::Scheme& scheme);

}  // namespace lyr::tools
