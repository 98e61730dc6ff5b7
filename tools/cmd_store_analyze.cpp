// SPDX-License-Identifier: Apache-2.0
// lyr store analyze: schemes of deduplication, side by side.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/sys_file.h"
#include "tools/analysis_report.h"
#include "tools/analyze_inputs.h"
#include "tools/command.h"
#include "tools/progress_line.h"

namespace lyr::tools {
namespace {

struct Format {
  const char* name;
  std::string (*write)(const AnalysisReport&);
};
constexpr auto formats = std::to_array<Format>({{"table", analysis_table},
                                                {"csv", analysis_csv},
                                                {"json", analysis_json},
                                                {"html", analysis_html}});

class StoreAnalyzeAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("--format", format_, "table (the default), csv, json or html")
        ->type_name("FORMAT");
    app.add_option("-o,--output", output_, "Write to a file, not to standard output")
        ->type_name("FILE");
    app.add_option("--schemes", schemes_,
                   "Only these, with commas between (any other name lists them)")
        ->type_name("NAMES");
    app.add_flag("--compress", compress_, "Compress each unit with zstd -3, too (slow)");
    app.add_flag("-q,--quiet", quiet_, "No progress");
    app.add_option("inputs", inputs_, "")->required();
  }

  Result<int> run(Context& context) override {
    const Format* format = TRY(chosen_format());
    auto schemes = TRY(chosen_schemes());
    auto* engine = TRY(context.engine());
    AnalyzeInputs inputs(*engine);
    for (const std::string& input : inputs_) TRY(inputs.add(input));
    store::Analysis analysis(schemes, compress_);
    ProgressLine line("analyzing", !quiet_);
    auto done = inputs.read(analysis, [&](uint64_t bytes, uint64_t of) { line.show(bytes, of); });
    line.clear();
    TRY(std::move(done));
    AnalysisReport report{
        .inputs = inputs.list(), .result = analysis.finish(), .compressed = compress_};
    std::string text = format->write(report);
    if (output_.empty() || output_ == "-") {
      std::fputs(text.c_str(), stdout);
      return 0;
    }
    TRY(about(sys::replace_file_at(sys::cwd(), output_.c_str(), text, 0644), output_));
    return 0;
  }

 private:
  static std::string scheme_names() {
    std::string names;
    for (const store::Scheme& scheme : store::all_schemes()) {
      names += (names.empty() ? "" : " ") + std::string(scheme.name);
    }
    return names;
  }

  // By the file's ending where nothing else is said.
  Result<const Format*> chosen_format() const {
    std::string name = format_;
    for (const Format& format : formats) {
      if (name.empty() && output_.ends_with(std::string(".") + format.name)) name = format.name;
    }
    if (name.empty()) name = "table";
    auto found = std::ranges::find(formats, std::string_view(name), &Format::name);
    if (found != formats.end()) return &*found;
    return fail_saying(EINVAL, "'" + name + "' is not table, csv, json or html");
  }

  // In the table's order, whatever the order here.
  Result<std::vector<const store::Scheme*>> chosen_schemes() const {
    std::vector<std::string> known, wanted;
    for (const store::Scheme& scheme : store::all_schemes()) known.emplace_back(scheme.name);
    for (size_t at = 0; !schemes_.empty() && at <= schemes_.size();) {
      size_t comma = std::min(schemes_.find(',', at), schemes_.size());
      wanted.push_back(schemes_.substr(at, comma - at));
      at = comma + 1;
    }
    for (const std::string& name : wanted) {
      if (store::find_scheme(name) != nullptr) continue;
      std::string near = nearest(name, known);
      std::string hint =
          near.empty() ? "there are: " + scheme_names() : "did you mean " + near + "?";
      return fail_saying(EINVAL, "'" + name + "' is not a scheme; " + hint);
    }
    std::vector<const store::Scheme*> schemes;
    for (const store::Scheme& scheme : store::all_schemes()) {
      bool chosen = wanted.empty() || std::ranges::find(wanted, scheme.name) != wanted.end();
      if (chosen) schemes.push_back(&scheme);
    }
    return schemes;
  }

  std::vector<std::string> inputs_;
  std::string format_, output_, schemes_;
  bool compress_ = false, quiet_ = false;
};

}  // namespace

extern const Command cmd_store_analyze;
const Command cmd_store_analyze{
    .name = "store analyze",
    .summary = "Compare ways to deduplicate images, by what they would save and cost",
    .arguments = "[OPTIONS] IMAGE|TAR|LAYOUT|- [IMAGE|TAR|LAYOUT...]",
    .examples =
        "lyr store analyze debian python      # images that are loaded\n"
        "lyr store analyze ./debian.tar ./layer.tar.gz ./oci-layout\n"
        "lyr store analyze -o report.html debian python\n"
        "lyr store analyze --schemes file,lyr,fastcdc-8k --compress --format csv python\n"
        "docker save debian | lyr store analyze -",
    .make = make_action<StoreAnalyzeAction>};

}  // namespace lyr::tools
