// SPDX-License-Identifier: Apache-2.0
// lyr images: what is in the store.
#include <fnmatch.h>

#include <cstdio>

#include "base/sys_event.h"
#include "engine/log_file.h"
#include "image/reference.h"
#include "tools/command.h"
#include "tools/template.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

struct Row {
  std::string repository, tag;
  const store::ImageRecord* image;
};

// docker's patterns: * and ? do not go past a /.
bool fits(const std::string& text, const std::string& wanted, bool is_pattern) {
  if (wanted.empty()) return true;
  return is_pattern ? ::fnmatch(wanted.c_str(), text.c_str(), FNM_PATHNAME) == 0 : text == wanted;
}

Json image_headings() {
  return {{"Repository", "REPOSITORY"}, {"Tag", "TAG"},
          {"ID", "IMAGE ID"},           {"CreatedSince", "CREATED"},
          {"CreatedAt", "CREATED AT"},  {"Digest", "DIGEST"},
          {"Containers", "CONTAINERS"}, {"Size", "SIZE"}};
}

class ImagesAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-q,--quiet", quiet_, "Ids only");
    app.add_flag("-a,--all", all_, "Every image (there are no hidden ones)");
    app.add_flag("--no-trunc", whole_, "Whole ids");
    app.add_option(
           "--format", format_,
           "json, or a template: {{.Repository}} {{.Tag}} {{.ID}} {{.CreatedSince}} {{.Size}}")
        ->type_name("FORMAT");
    app.add_option("name", filter_, "");
  }

  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    auto images = TRY(store->images());
    auto tags = TRY(store->tags());
    auto rows = TRY(rows_of(images, tags));
    std::vector<Json> objects;
    std::vector<std::vector<std::string>> cells{
        {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"}};
    for (const Row& row : rows) {
      std::string id = whole_ ? row.image->id.text() : short_id(row.image->id.hex());
      int64_t age = sys::now_unix_ns() / second_ns - row.image->created_unix;
      std::string since = row.image->created_unix == 0 ? "N/A" : human_duration(age) + " ago";
      cells.push_back({row.repository, row.tag, id, since, human_size(row.image->content_bytes)});
      objects.push_back({{"Repository", row.repository},
                         {"Tag", row.tag},
                         {"ID", id},
                         {"CreatedSince", since},
                         {"CreatedAt", engine::format_time(row.image->created_unix, 0)},
                         {"Digest", "<none>"},
                         {"Containers", "N/A"},
                         {"Size", human_size(row.image->content_bytes)}});
    }
    std::string text;
    if (!format_.empty()) {
      text = TRY(render_rows(format_, objects, image_headings()));
    } else if (quiet_) {
      for (size_t i = 1; i < cells.size(); ++i) text += cells[i][2] + "\n";
    } else {
      text = table(cells);
    }
    std::fputs(text.c_str(), stdout);
    return 0;
  }

 private:
  Result<std::vector<Row>> rows_of(const std::vector<store::ImageRecord>& images,
                                   const std::vector<store::Tag>& tags) const {
    std::vector<Row> rows;
    std::string wanted_repository, wanted_tag;
    bool is_pattern = filter_.find_first_of("*?[") != std::string::npos;
    if (is_pattern) {
      size_t colon = filter_.find(':', filter_.rfind('/') + 1);
      wanted_repository = filter_.substr(0, colon);
      if (colon != std::string::npos) wanted_tag = filter_.substr(colon + 1);
    } else if (!filter_.empty()) {
      auto reference = TRY(image::parse_reference(filter_));
      size_t colon = reference.familiar().rfind(':');
      wanted_repository = reference.familiar().substr(0, colon);
      if (filter_.rfind(':') != std::string::npos &&
          filter_.find('/', filter_.rfind(':')) == std::string::npos) {
        wanted_tag = reference.tag;
      }
    }
    for (const store::ImageRecord& record : images) {
      bool named = false;
      for (const store::Tag& tag : tags) {
        if (tag.image != record.id) continue;
        named = true;
        std::string name = image::familiar(tag.name);
        size_t colon = name.rfind(':');
        Row row{name.substr(0, colon), name.substr(colon + 1), &record};
        if (fits(row.repository, wanted_repository, is_pattern) &&
            fits(row.tag, wanted_tag, is_pattern))
          rows.push_back(std::move(row));
      }
      if (!named && filter_.empty()) rows.push_back({"<none>", "<none>", &record});
    }
    return rows;
  }

  bool quiet_ = false, all_ = false, whole_ = false;
  std::string format_, filter_;
};

}  // namespace

extern const Command cmd_images;
const Command cmd_images{
    .name = "images",
    .summary = "List images",
    .arguments = "[OPTIONS] [NAME[:TAG]]",
    .examples = "lyr images\nlyr images -q\nlyr images --format '{{.Repository}}:{{.Tag}}'",
    .make = make_action<ImagesAction>};

}  // namespace lyr::tools
