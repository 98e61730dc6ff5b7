// SPDX-License-Identifier: Apache-2.0
// lyr system df: what everything takes on disk.
#include <cstdio>

#include "tools/command.h"
#include "tools/template.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

std::string reclaimable_text(const engine::KindUsage& usage) {
  std::string text = human_size(usage.reclaimable_bytes);
  if (usage.bytes == 0) return text;
  return text + " (" + std::to_string(usage.reclaimable_bytes * 100 / usage.bytes) + "%)";
}

class SystemDfAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("--format", format_,
                   "json, or a template: {{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} "
                   "{{.Reclaimable}}")
        ->type_name("FORMAT");
  }
  Result<int> run(Context& context) override {
    auto* engine = TRY(context.engine());
    auto usage = TRY(engine->disk_usage());
    const std::pair<const char*, engine::KindUsage> rows[] = {{"Images", usage.images},
                                                              {"Containers", usage.containers},
                                                              {"Local Volumes", usage.volumes},
                                                              {"Build Cache", {}}};
    std::vector<std::vector<std::string>> cells{{"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"}};
    std::vector<Json> objects;
    for (const auto& [type, kind] : rows) {
      std::string total = std::to_string(kind.total);
      std::string active = std::to_string(kind.active);
      std::string size = human_size(kind.bytes);
      std::string reclaimable = reclaimable_text(kind);
      cells.push_back({type, total, active, size, reclaimable});
      objects.push_back({{"Type", type},
                         {"TotalCount", total},
                         {"Active", active},
                         {"Size", size},
                         {"Reclaimable", reclaimable}});
    }
    const Json headings{{"Type", "TYPE"},
                        {"TotalCount", "TOTAL"},
                        {"Active", "ACTIVE"},
                        {"Size", "SIZE"},
                        {"Reclaimable", "RECLAIMABLE"}};
    std::string text = table(cells);
    if (!format_.empty()) text = TRY(render_rows(format_, objects, headings));
    std::fputs(text.c_str(), stdout);
    return 0;
  }

 private:
  std::string format_;
};

}  // namespace

extern const Command cmd_system_df;
const Command cmd_system_df{
    .name = "system df",
    .summary = "Show what images, containers and volumes take on disk",
    .arguments = "[OPTIONS]",
    .examples = "lyr system df\nlyr system df --format '{{.Type}}: {{.Size}}'",
    .make = make_action<SystemDfAction>};

}  // namespace lyr::tools
