// SPDX-License-Identifier: Apache-2.0
// Other views of a JSON document, made without lyr's reader: what must not matter to it (spaces,
// the order of keys, escapes), and what it must not let pass (a key given twice, deep nesting).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "image/json_text.h"

namespace lyr::fuzz {

// The same document as compact ASCII, its keys sorted; nothing when it is no JSON.
inline std::optional<std::string> rewritten(std::string_view text) {
  auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  return json.dump(1, '\t', true);
}

// Whether readers may differ on what it says: a key stands twice in an object, or it is nested so
// deep that some give up.
inline bool is_ambiguous(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  bool ambiguous = false;
  std::vector<std::set<std::string>> keys;
  auto look = [&](int depth, Event event, nlohmann::json& value) {
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(value.get<std::string>()).second) {
      ambiguous = true;
    }
    bool starts = event == Event::object_start || event == Event::array_start;
    if (starts && static_cast<size_t>(depth) >= image::json_depth_max) ambiguous = true;
    return true;
  };
  auto json = nlohmann::json::parse(text, look, false);
  return json.is_discarded() || ambiguous;
}

}  // namespace lyr::fuzz
