// SPDX-License-Identifier: Apache-2.0
// How values look to a person, in docker's words and units, and how a person's words become values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace lyr::tools {

constexpr int64_t second_ns = 1'000'000'000;

std::string human_size(uint64_t bytes);       // "4.52MB": powers of 1000, docker's digits
std::string human_duration(int64_t seconds);  // "About a minute", "3 hours"
std::string short_id(std::string_view id);    // 12 digits
std::string status_text(const engine::ContainerInfo& info, int64_t now_unix_ns);
std::string command_text(const std::vector<std::string>& command, bool whole);
// One line of text: control characters are shown as "\n", "\x1b".
std::string printable(std::string_view text);

// "64m", "1.5g", "1024": bytes. EINVAL.
Result<int64_t> parse_size(std::string_view text);
// "1h30m", "10s", "1.5h", "50ms", in ns; absent when it is no duration.
std::optional<int64_t> parse_duration(std::string_view text);
// "2026-01-02T03:04:05Z", "10m" (ago), or seconds since 1970 with a fraction; in ns since 1970.
// EINVAL.
Result<int64_t> parse_moment(std::string_view text, int64_t now_unix_ns);

// Left-aligned columns, at least ten wide and with three spaces between, as docker prints them.
std::string table(const std::vector<std::vector<std::string>>& rows);
// Columns of figures: the first to the left, the others to the right, two spaces between.
std::string figures_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace lyr::tools
