// SPDX-License-Identifier: Apache-2.0
// What a comparison of schemes, and a store's numbers, look like: to people and to programs. Names
// are outside data: they stay text wherever they are put.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tools/analysis_report.h"
#include "tools/stats_report.h"
#include "tools/svg.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

using Json = nlohmann::json;

AnalysisReport report(bool compressed = false) {
  AnalysisReport report;
  report.compressed = compressed;
  report.inputs = {{.name = "debian", .kind = "image", .layers = 2},
                   {.name = "<script>alert('&\"')</script>\x01\xff", .kind = "layer", .layers = 1}};
  report.result.layers = 3;
  report.result.unique_layers = 2;
  report.result.files = 1234;
  report.result.content_bytes = 3000000;
  report.result.read_bytes = 2000000;
  for (const char* name : {"file", "fixed-4k", "lyr"}) {
    store::SchemeResult scheme;
    scheme.scheme = store::find_scheme(name);
    scheme.chunks = 2000;
    scheme.unique_chunks = 700;
    scheme.unique_bytes = 1500000;
    if (compressed) scheme.compressed_bytes = 600000;
    scheme.sizes[12] = {.chunks = 2000, .bytes = 3000000};
    scheme.hash_ns = 1000000;
    report.result.schemes.push_back(scheme);
  }
  report.result.schemes[2].cut_ns = 500000;
  return report;
}

TEST(AnalysisReport, ATableForPeople) {
  EXPECT_EQ(analysis_table(report()),
            "2 inputs, 3 layers (2 read), 1,234 files, 3MB of content\n\n"
            "SCHEME    RATIO  UNIQUE  UNITS  UNIQUE UNITS   MEAN  INDEX    CUT  CUT+HASH\n"
            "file      2.000   1.5MB  2,000           700  1.5kB   32kB      -     2GB/s\n"
            "fixed-4k  2.000   1.5MB  2,000           700  1.5kB   32kB      -     2GB/s\n"
            "lyr       2.000   1.5MB  2,000           700  1.5kB   32kB  4GB/s  1.33GB/s\n");
  EXPECT_NE(analysis_table(report(true)).find("ZSTD RATIO"), std::string::npos);
}

TEST(AnalysisReport, ExactNumbersForPrograms) {
  EXPECT_EQ(analysis_csv(report()),
            "scheme,unit,content_bytes,read_bytes,chunks,unique_chunks,unique_bytes,hole_bytes,"
            "index_bytes,compressed_bytes,cut_ns,hash_ns\n"
            "file,file,3000000,2000000,2000,700,1500000,0,32000,,,1000000\n"
            "fixed-4k,chunk,3000000,2000000,2000,700,1500000,0,32000,,,1000000\n"
            "lyr,chunk,3000000,2000000,2000,700,1500000,0,32000,,500000,1000000\n");
  Json json = Json::parse(analysis_json(report(true)));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["content_bytes"], 3000000);
  EXPECT_EQ(json["schemes"][0]["compressed_bytes"], 600000);
  EXPECT_TRUE(json["schemes"][0]["cut_ns"].is_null());
  EXPECT_EQ(json["schemes"][1]["sizes"][0]["min_bytes"], 4096);
  EXPECT_EQ(json["schemes"][1]["sizes"][0]["max_bytes"], 8191);
  EXPECT_EQ(json["inputs"][1]["name"], "<script>alert('&\"')</script>\x01\xef\xbf\xbd");
}

TEST(AnalysisPage, NamesStayText) {
  std::string page = analysis_html(report());
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"
                      "\xef\xbf\xbd\xef\xbf\xbd"),
            std::string::npos);
}

TEST(AnalysisPage, NothingIsFetched) {
  std::string page = analysis_html(report(true));
  for (const char* word : {"http:", "https:", "src=", "@import", "url(", "<link", "<iframe"}) {
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  }
}

// As XML it must close what it opens; HTML's parsers forgive, people's eyes do not.
TEST(AnalysisPage, EveryElementIsClosed) {
  std::string page = analysis_html(report(true));
  std::vector<std::string> open;
  for (size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    size_t end = page.find('>', at);
    std::string tag = page.substr(at + 1, end - at - 1);
    std::string name = tag.substr(0, tag.find_first_of(" \n/", 1));
    if (name == "!doctype" || name == "meta" || tag.ends_with('/')) continue;
    if (tag[0] != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << tag;
    EXPECT_EQ(tag.substr(1), open.back());
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_EQ(page.find("inf\""), std::string::npos);
}

TEST(AnalysisPage, NothingToCompareIsAPage) {
  AnalysisReport empty;
  EXPECT_NE(analysis_html(empty).find("There is nothing to keep."), std::string::npos);
  AnalysisReport no_content = report();
  no_content.result = {};
  no_content.result.schemes.resize(1);
  no_content.result.schemes[0].scheme = store::find_scheme("lyr");
  EXPECT_EQ(analysis_html(no_content).find("nan"), std::string::npos);
}

TEST(HtmlText, WhatIsNoTextIsReplaced) {
  EXPECT_EQ(html_text("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(html_text("é€😀\n"), "é€😀\n");
  const std::string no = "\xef\xbf\xbd";
  EXPECT_EQ(html_text(std::string("\0\x1b\x7f", 3)), no + no + no);
  EXPECT_EQ(html_text("\xc0\xaf"), no + no) << "an overlong slash";
  EXPECT_EQ(html_text("\xed\xa0\x80"), no + no + no) << "half of a surrogate pair";
  EXPECT_EQ(html_text("\xf4\x90\x80\x80"), no + no + no + no) << "past the last character";
  EXPECT_EQ(html_text("x\xe2\x82"), "x" + no + no) << "cut short";
}

TEST(FiguresTable, NumbersStandUnderEachOther) {
  EXPECT_EQ(figures_table({{"A", "×", "LONG"}, {"name", "12", "3"}}),
            "A      ×  LONG\n"
            "name  12     3\n");
}

store::StoreStats stats() {
  store::StoreStats stats;
  store::ImageStats image;
  image.id = Digest::of("image");
  image.tags = {"docker.io/library/debian:12", "docker.io/library/debian:latest"};
  image.tar_bytes = 2000;
  image.content_bytes = 1500;
  image.object_bytes = 1200;
  image.unique_bytes = 1000;
  image.shared_bytes = 200;
  image.hole_bytes = 300;
  stats.images = {image, image};
  stats.images[1].tags.clear();
  stats.layers = 2;
  stats.image_tar_bytes = 4000;
  stats.layer_tar_bytes = 3000;
  stats.hot = {.count = 3, .raw_bytes = 500, .stored_bytes = 500};
  stats.cold = {.count = 2, .raw_bytes = 1500, .stored_bytes = 500};
  stats.packs = 1;
  stats.pack_bytes = stats.pack_disk_bytes = 1400;
  stats.dead = {.count = 1, .raw_bytes = 100, .stored_bytes = 100};
  stats.overhead_bytes = 300;
  return stats;
}

TEST(StatsReport, TablesForPeople) {
  std::string text = stats_table(stats());
  EXPECT_NE(text.find("debian:12 (+1)"), std::string::npos) << text;
  EXPECT_NE(text.find("<none>"), std::string::npos) << text;
  EXPECT_NE(text.find("Dedupe: 2.00x (1.50x with layers shared). Compression: 2.00x."),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("damaged"), std::string::npos);
  store::StoreStats broken = stats();
  broken.missing = 7;
  EXPECT_NE(stats_table(broken).find("7 references"), std::string::npos);
}

TEST(StatsReport, ExactNumbersForPrograms) {
  Json json = Json::parse(stats_json(stats()));
  EXPECT_EQ(json["images"][0]["names"], (Json{"debian:12", "debian:latest"}));
  EXPECT_EQ(json["images"][0]["unique_bytes"], 1000);
  EXPECT_EQ(json["store"]["cold_stored_bytes"], 500);
  EXPECT_EQ(json["store"]["images"], 2);
  std::string csv = stats_csv(stats());
  EXPECT_NE(csv.find(",debian:12,hole_bytes,300\n"), std::string::npos) << csv;
  EXPECT_NE(csv.find("\n,,pack_overhead_bytes,300\n"), std::string::npos) << csv;
  EXPECT_FALSE(stats_writer("yaml"));
}

}  // namespace
}  // namespace lyr::tools
