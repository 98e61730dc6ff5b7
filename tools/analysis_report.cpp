// SPDX-License-Identifier: Apache-2.0
#include "tools/analysis_report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "tools/text.h"

namespace lyr::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int json_version = 1;

std::string count_of(uint64_t number, const char* one, const char* many) {
  return grouped(number) + " " + (number == 1 ? one : many);
}

// A class of sizes that has units, as JSON.
Json sizes_of(const store::SchemeResult& scheme) {
  Json sizes = Json::array();
  for (size_t i = 0; i < store::size_classes; ++i) {
    const store::SizeClass& one = scheme.sizes[i];
    if (one.chunks == 0) continue;
    sizes.push_back({{"min_bytes", uint64_t{1} << i},
                     {"max_bytes", (uint64_t{2} << i) - 1},
                     {"chunks", one.chunks},
                     {"bytes", one.bytes}});
  }
  return sizes;
}

// A number that is not there for every scheme.
Json number_or_null(bool present, uint64_t number) { return present ? Json(number) : Json(); }

}  // namespace

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string speed_text(uint64_t bytes, uint64_t ns) {
  if (ns == 0) return "-";
  double per_second = static_cast<double>(bytes) * 1e9 / static_cast<double>(ns);
  return human_size(static_cast<uint64_t>(per_second)) + "/s";
}

const char* unit_name(store::SchemeUnit unit) {
  switch (unit) {
    case store::SchemeUnit::layer:
      return "layer";
    case store::SchemeUnit::file:
      return "file";
    case store::SchemeUnit::chunk:
      return "chunk";
  }
  return "";
}

uint64_t mean_bytes(const store::AnalysisResult& result, const store::SchemeResult& scheme) {
  if (scheme.chunks == 0) return 0;
  return (result.content_bytes - scheme.hole_bytes) / scheme.chunks;
}

std::string analysis_summary(const AnalysisReport& report) {
  const store::AnalysisResult& result = report.result;
  std::string layers = count_of(result.layers, "layer", "layers");
  if (result.unique_layers < result.layers) {
    layers += " (" + grouped(result.unique_layers) + " read)";
  }
  return count_of(report.inputs.size(), "input", "inputs") + ", " + layers + ", " +
         count_of(result.files, "file", "files") + ", " + human_size(result.content_bytes) +
         " of content";
}

std::string analysis_table(const AnalysisReport& report) {
  const store::AnalysisResult& result = report.result;
  std::vector<std::vector<std::string>> rows{
      {"SCHEME", "RATIO", "UNIQUE", "UNITS", "UNIQUE UNITS", "MEAN", "INDEX"}};
  if (report.compressed) rows[0].insert(rows[0].end(), {"ZSTD", "ZSTD RATIO"});
  rows[0].insert(rows[0].end(), {"CUT", "CUT+HASH"});
  for (const store::SchemeResult& scheme : result.schemes) {
    std::vector<std::string> row{scheme.scheme->name,
                                 fmt::format("{:.3f}", result.ratio(scheme)),
                                 human_size(scheme.unique_bytes),
                                 grouped(scheme.chunks),
                                 grouped(scheme.unique_chunks),
                                 human_size(mean_bytes(result, scheme)),
                                 human_size(scheme.index_bytes())};
    if (report.compressed) {
      row.push_back(human_size(scheme.compressed_bytes.value_or(0)));
      row.push_back(fmt::format("{:.3f}", result.compressed_ratio(scheme)));
    }
    row.push_back(speed_text(result.read_bytes, scheme.cut_ns));
    row.push_back(
        speed_text(result.read_bytes, scheme.hash_ns == 0 ? 0 : scheme.cut_ns + scheme.hash_ns));
    rows.push_back(std::move(row));
  }
  return analysis_summary(report) + "\n\n" + figures_table(rows);
}

std::string analysis_csv(const AnalysisReport& report) {
  const store::AnalysisResult& result = report.result;
  std::string text =
      "scheme,unit,content_bytes,read_bytes,chunks,unique_chunks,unique_bytes,hole_bytes,"
      "index_bytes,compressed_bytes,cut_ns,hash_ns\n";
  auto or_empty = [](bool present, uint64_t number) {
    return present ? std::to_string(number) : std::string();
  };
  for (const store::SchemeResult& scheme : result.schemes) {
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{}\n", scheme.scheme->name,
        unit_name(scheme.scheme->unit), result.content_bytes, result.read_bytes, scheme.chunks,
        scheme.unique_chunks, scheme.unique_bytes, scheme.hole_bytes, scheme.index_bytes(),
        or_empty(scheme.compressed_bytes.has_value(), scheme.compressed_bytes.value_or(0)),
        or_empty(scheme.cut_ns > 0, scheme.cut_ns), or_empty(scheme.hash_ns > 0, scheme.hash_ns));
  }
  return text;
}

std::string analysis_json(const AnalysisReport& report) {
  const store::AnalysisResult& result = report.result;
  Json inputs = Json::array();
  for (const AnalysisInput& input : report.inputs) {
    inputs.push_back({{"name", input.name}, {"kind", input.kind}, {"layers", input.layers}});
  }
  Json schemes = Json::array();
  for (const store::SchemeResult& scheme : result.schemes) {
    auto compressed = scheme.compressed_bytes;
    schemes.push_back(
        {{"name", scheme.scheme->name},
         {"summary", scheme.scheme->summary},
         {"unit", unit_name(scheme.scheme->unit)},
         {"chunks", scheme.chunks},
         {"unique_chunks", scheme.unique_chunks},
         {"unique_bytes", scheme.unique_bytes},
         {"hole_bytes", scheme.hole_bytes},
         {"index_bytes", scheme.index_bytes()},
         {"compressed_bytes", number_or_null(compressed.has_value(), compressed.value_or(0))},
         {"cut_ns", number_or_null(scheme.cut_ns > 0, scheme.cut_ns)},
         {"hash_ns", number_or_null(scheme.hash_ns > 0, scheme.hash_ns)},
         {"sizes", sizes_of(scheme)}});
  }
  Json document{{"version", json_version},         {"inputs", std::move(inputs)},
                {"layers", result.layers},         {"unique_layers", result.unique_layers},
                {"files", result.files},           {"content_bytes", result.content_bytes},
                {"read_bytes", result.read_bytes}, {"schemes", std::move(schemes)}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace lyr::tools
