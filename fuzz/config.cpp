// SPDX-License-Identifier: Apache-2.0
// Any bytes give a config or an error. What is read keeps within its limits, says the same however
// the document is written down, and gives a time only for a date.
#include "image/config.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>

#include "base/check.h"
#include "fuzz/json_views.h"

namespace {

using namespace lyr;
using namespace lyr::image;

std::string text_of(const Config& config) {
  std::string text;
  auto add = [&](std::string_view what) {
    CHECK(what.find('\0') == std::string_view::npos);
    text.append(what).push_back('\0');
  };
  auto add_all = [&](const std::vector<std::string>& list) {
    for (const std::string& item : list) add(item);
    text.push_back('\1');
  };
  for (const auto* field : {&config.architecture, &config.os, &config.created, &config.author,
                            &config.user, &config.working_dir, &config.stop_signal}) {
    add(*field);
  }
  for (const auto* list :
       {&config.env, &config.entrypoint, &config.cmd, &config.volumes, &config.exposed_ports}) {
    add_all(*list);
  }
  for (const auto& [key, value] : config.labels) {
    add(key);
    add(value);
  }
  for (const Digest& digest : config.diff_ids) add(digest.text());
  return text;
}

void check_limits(const Config& config) {
  CHECK(config.diff_ids.size() <= image_layers_max);
  for (const auto* keys : {&config.volumes, &config.exposed_ports}) {
    CHECK(std::ranges::is_sorted(*keys) && std::ranges::adjacent_find(*keys) == keys->end());
    CHECK(std::ranges::find(*keys, "") == keys->end());
  }
  for (const std::string& variable : config.env) CHECK(!variable.empty() && variable[0] != '=');
}

// Written out again in the zone it was given in, the time is what the config says.
void check_created(const Config& config) {
  int64_t created = created_unix(config);
  if (created == 0) return;
  constexpr size_t date_bytes = sizeof "2026-01-01T00:00:00" - 1;
  CHECK(config.created.size() > date_bytes);
  std::string zone = config.created.substr(config.created.find_first_of("Zz+-", date_bytes));
  if (zone[0] == '+' || zone[0] == '-') {
    int minutes = std::stoi(zone.substr(1, 2)) * 60 + std::stoi(zone.substr(4, 2));
    created += (zone[0] == '+' ? 60 : -60) * minutes;
  }
  std::time_t seconds = created;
  std::tm time{};
  CHECK(::gmtime_r(&seconds, &time) != nullptr);
  char again[64];
  CHECK(std::strftime(again, sizeof again, "%Y-%m-%dT%H:%M:%S", &time) > 0);
  std::string date = config.created.substr(0, date_bytes);
  date[10] = 'T';
  if (date.ends_with("60")) date.replace(date.size() - 2, 2, "59");  // a leap second
  std::string year(date_bytes - std::min(date_bytes, std::string(again).size()), '0');
  CHECK(year + again == date);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto config = parse_config(text);
  if (!config) {
    CHECK(config.error().code == EBADMSG && config.error().subject != nullptr);
    return 0;
  }
  CHECK(!fuzz::is_ambiguous(text));
  check_limits(*config);
  check_created(*config);
  auto again = parse_config(*fuzz::rewritten(text));
  CHECK(again.has_value() && text_of(*again) == text_of(*config));
  return 0;
}
