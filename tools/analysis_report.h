// SPDX-License-Identifier: Apache-2.0
// A comparison of schemes as text: a table for people, CSV and JSON for programs (docs/research.md
// says what each number means).
#pragma once

#include <string>
#include <vector>

#include "store/analyze/analysis.h"

namespace lyr::tools {

struct AnalysisInput {
  std::string name;       // as it was asked for: a person's words, or worse
  const char* kind = "";  // "image", "archive" (of images), "layer"
  uint64_t layers = 0;
};

struct AnalysisReport {
  std::vector<AnalysisInput> inputs;
  store::AnalysisResult result;
  bool compressed = false;
};

std::string analysis_table(const AnalysisReport& report);
std::string analysis_csv(const AnalysisReport& report);
std::string analysis_json(const AnalysisReport& report);
std::string analysis_html(const AnalysisReport& report);  // analysis_html.cpp

// "2 inputs, 5 layers (4 of them different), 10,255 files, 391MB of content".
std::string analysis_summary(const AnalysisReport& report);
std::string grouped(uint64_t number);                 // "10,255"
std::string speed_text(uint64_t bytes, uint64_t ns);  // "3.2GB/s"; "-" for no time
const char* unit_name(store::SchemeUnit unit);
uint64_t mean_bytes(const store::AnalysisResult& result, const store::SchemeResult& scheme);

}  // namespace lyr::tools
