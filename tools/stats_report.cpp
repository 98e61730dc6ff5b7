// SPDX-License-Identifier: Apache-2.0
#include "tools/stats_report.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "image/reference.h"
#include "tools/analysis_report.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

using Json = nlohmann::ordered_json;
using store::ImageStats;
using store::StoreStats;
using Rows = std::vector<std::vector<std::string>>;

constexpr int json_version = 1;

struct Number {
  const char* name;
  uint64_t value;
};

std::vector<Number> numbers_of(const ImageStats& image) {
  return {{"tar_bytes", image.tar_bytes},       {"content_bytes", image.content_bytes},
          {"object_bytes", image.object_bytes}, {"unique_bytes", image.unique_bytes},
          {"shared_bytes", image.shared_bytes}, {"hole_bytes", image.hole_bytes}};
}

// Every number once; what can be had by adding or dividing them is not among them.
std::vector<Number> numbers_of(const StoreStats& stats) {
  return {{"images", stats.images.size()},
          {"layers", stats.layers},
          {"image_tar_bytes", stats.image_tar_bytes},
          {"layer_tar_bytes", stats.layer_tar_bytes},
          {"references", stats.references},
          {"missing_references", stats.missing},
          {"hot_objects", stats.hot.count},
          {"hot_bytes", stats.hot.raw_bytes},
          {"cold_objects", stats.cold.count},
          {"cold_bytes", stats.cold.raw_bytes},
          {"cold_stored_bytes", stats.cold.stored_bytes},
          {"dead_objects", stats.dead.count},
          {"dead_stored_bytes", stats.dead.stored_bytes},
          {"dropped_stored_bytes", stats.dropped_bytes},
          {"packs", stats.packs},
          {"pack_bytes", stats.pack_bytes},
          {"pack_disk_bytes", stats.pack_disk_bytes},
          {"pack_overhead_bytes", stats.overhead_bytes},
          {"recipe_bytes", stats.recipe_bytes},
          {"tree_bytes", stats.tree_bytes},
          {"catalogue_bytes", stats.catalogue_bytes},
          {"index_bytes", stats.index_bytes},
          {"blob_bytes", stats.blob_bytes},
          {"hot_files", stats.hot_files},
          {"hot_file_bytes", stats.hot_file_bytes}};
}

std::string times(uint64_t whole, uint64_t part) {
  if (part == 0) return "-";
  return fmt::format("{:.2f}x", static_cast<double>(whole) / static_cast<double>(part));
}

std::string name_of(const ImageStats& image) {
  if (image.tags.empty()) return "<none>";
  return image::familiar(image.tags.front());
}

Rows image_rows(const StoreStats& stats) {
  Rows rows{{"IMAGE", "IMAGE ID", "TAR", "CONTENT", "UNIQUE", "SHARED", "HOLES"}};
  for (const ImageStats& image : stats.images) {
    std::string name = name_of(image);
    if (image.tags.size() > 1) name += fmt::format(" (+{})", image.tags.size() - 1);
    rows.push_back({name, short_id(image.id.hex()), human_size(image.tar_bytes),
                    human_size(image.content_bytes), human_size(image.unique_bytes),
                    human_size(image.shared_bytes), human_size(image.hole_bytes)});
  }
  return rows;
}

Rows store_rows(const StoreStats& stats) {
  Rows rows{{"STORE", "COUNT", "SIZE", "REMARKS"}};
  auto row = [&](const char* what, const std::string& count, uint64_t bytes,
                 const std::string& remark) {
    rows.push_back({what, count, human_size(bytes), remark});
  };
  row("Images", grouped(stats.images.size()), stats.image_tar_bytes,
      "tar, each image with all its layers");
  row("Layers", grouped(stats.layers), stats.layer_tar_bytes, "tar, each layer once");
  row("Objects", grouped(stats.object_count()), stats.object_bytes(),
      "file content, each object once");
  row("  hot", grouped(stats.hot.count), stats.hot.raw_bytes, "stored as they are");
  row("  cold", grouped(stats.cold.count), stats.cold.raw_bytes,
      "compressed to " + human_size(stats.cold.stored_bytes));
  row("Packs", grouped(stats.packs), stats.pack_disk_bytes, "on disk");
  row("  waste", "", stats.waste_bytes(),
      fmt::format("headers and padding {}, dead or copies {} in {}",
                  human_size(stats.overhead_bytes), human_size(stats.dead.stored_bytes),
                  grouped(stats.dead.count)));
  row("Metadata", "", stats.metadata_bytes(),
      fmt::format("recipes {}, trees {}, catalogue {}", human_size(stats.recipe_bytes),
                  human_size(stats.tree_bytes), human_size(stats.catalogue_bytes)));
  row("Index", "", stats.index_bytes, "a cache");
  if (stats.blob_bytes > 0) row("Blobs", "", stats.blob_bytes, "kept as they came");
  if (stats.hot_files > 0) {
    row("Hot files", grouped(stats.hot_files), stats.hot_file_bytes,
        "copies to share with, gone with gc");
  }
  return rows;
}

Json object_of(const std::vector<Number>& numbers) {
  Json object = Json::object();
  for (const Number& number : numbers) object[number.name] = number.value;
  return object;
}

// RFC 4180.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string field = "\"";
  for (char c : text) field += c == '"' ? std::string("\"\"") : std::string(1, c);
  return field + "\"";
}

}  // namespace

std::string stats_table(const StoreStats& stats) {
  std::string text = table(image_rows(stats)) + "\n" + table(store_rows(stats)) + "\n";
  text += fmt::format("Dedupe: {} ({} with layers shared). Compression: {}.\n",
                      times(stats.image_tar_bytes, stats.object_bytes()),
                      times(stats.layer_tar_bytes, stats.object_bytes()),
                      times(stats.object_bytes(), stats.stored_bytes()));
  if (stats.missing > 0) {
    text += grouped(stats.missing) + " references to objects that no pack has: it is damaged.\n";
  }
  return text;
}

std::string stats_json(const StoreStats& stats) {
  Json images = Json::array();
  for (const ImageStats& image : stats.images) {
    Json names = Json::array();
    for (const std::string& tag : image.tags) names.push_back(image::familiar(tag));
    Json one{{"id", image.id.text()}, {"names", std::move(names)}};
    one.update(object_of(numbers_of(image)));
    images.push_back(std::move(one));
  }
  Json document{{"version", json_version},
                {"images", std::move(images)},
                {"store", object_of(numbers_of(stats))}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string stats_csv(const StoreStats& stats) {
  std::string text = "id,name,number,value\n";
  for (const ImageStats& image : stats.images) {
    std::string name = image.tags.empty() ? "" : name_of(image);
    for (const Number& number : numbers_of(image)) {
      text +=
          fmt::format("{},{},{},{}\n", image.id.text(), csv_field(name), number.name, number.value);
    }
  }
  for (const Number& number : numbers_of(stats)) {
    text += fmt::format(",,{},{}\n", number.name, number.value);
  }
  return text;
}

Result<StatsWriter> stats_writer(std::string_view format) {
  if (format == "table") return stats_table;
  if (format == "json") return stats_json;
  if (format == "csv") return stats_csv;
  return fail_saying(EINVAL, "'" + std::string(format) + "' is not table, json or csv");
}

}  // namespace lyr::tools
