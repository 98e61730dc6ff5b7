// SPDX-License-Identifier: Apache-2.0
#include "tools/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include "engine/log_file.h"

namespace lyr::tools {
namespace {

constexpr size_t command_width = 20;
constexpr size_t column_width_min = 10;  // docker's
constexpr size_t column_gap = 3;

Failure bad_size(std::string_view text) {
  return fail_saying(EINVAL,
                     "invalid size: '" + std::string(text) + "' (a number with b, k, m, g or t)");
}

Result<double> parse_number(std::string_view& text, std::string_view whole) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) {
    return fail_saying(EINVAL, "not a number: '" + std::string(whole) + "'");
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

// The first `width` characters at most, the last of them an ellipsis where more would follow.
std::string shortened(const std::string& text, size_t width) {
  size_t characters = 0;
  size_t end = 0;  // of the first width - 1
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) == 0x80) continue;
    if (characters == width - 1) end = i;
    ++characters;
  }
  return characters <= width ? text : text.substr(0, end) + "…";
}

// What an image or a container says shall not move a person's cursor.
std::string printable(char c) {
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  return control ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
}

// As Go's %q.
std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (char c : text) result += (c == '"' || c == '\\' ? "\\" : "") + printable(c);
  return result + "\"";
}

// Not bytes: continuation bytes take no room.
size_t characters(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::vector<size_t> widths_of(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
  }
  return widths;
}

}  // namespace

std::string human_size(uint64_t bytes) {
  constexpr std::array units{"B", "kB", "MB", "GB", "TB", "PB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g}{}", value, units[unit]);
}

std::string human_duration(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  int64_t minutes = seconds / 60;
  int64_t hours = (seconds + 1800) / 3600;
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < 60) return fmt::format("{} seconds", seconds);
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", hours / 24 / 365);
}

std::string short_id(std::string_view id) {
  if (id.starts_with("sha256:")) id.remove_prefix(7);
  return std::string(id.substr(0, 12));
}

std::string status_text(const engine::ContainerInfo& info, int64_t now) {
  auto since = [&](int64_t then) { return human_duration((now - then) / second_ns); };
  switch (info.status) {
    case engine::Status::created:
      return "Created";
    case engine::Status::running:
      return "Up " + since(info.started_unix_ns);
    case engine::Status::exited:
      return fmt::format("Exited ({}) {} ago", info.exit_code, since(info.finished_unix_ns));
    case engine::Status::dead:
      return fmt::format("Dead ({}) {} ago", info.exit_code, since(info.finished_unix_ns));
  }
  return "";
}

std::string printable(std::string_view text) {
  std::string result;
  for (char c : text) result += printable(c);
  return result;
}

std::string command_text(const std::vector<std::string>& command, bool whole) {
  std::string text;
  for (const std::string& word : command) {
    bool spaced = word.find(' ') != std::string::npos;
    text += (text.empty() ? "" : " ") + (spaced ? "'" + word + "'" : word);
  }
  if (!whole) text = shortened(text, command_width);
  return in_quotes(text);
}

Result<int64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  auto number = parse_number(rest, text);
  if (!number) return bad_size(text);
  double scale = 1;
  if (!rest.empty()) {
    size_t power = std::string_view("bkmgt").find(static_cast<char>(rest[0] | 0x20));
    if (power == std::string_view::npos) return bad_size(text);
    scale = std::pow(1024.0, static_cast<double>(power));
    rest.remove_prefix(1);
    if (rest == "b" || rest == "B" || rest == "iB") rest = {};
  }
  double bytes = *number * scale;
  if (!rest.empty() || bytes > 9e18) return bad_size(text);
  return static_cast<int64_t>(bytes);
}

std::optional<int64_t> parse_duration(std::string_view text) {
  double total = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    auto number = parse_number(text, text);
    if (!number) return std::nullopt;
    double unit = 0;
    size_t length = 1;
    if (text.starts_with("ms")) {
      unit = 1e6;
      length = 2;
    } else if (text.starts_with("h")) {
      unit = 3600e9;
    } else if (text.starts_with("m")) {
      unit = 60e9;
    } else if (text.starts_with("s")) {
      unit = 1e9;
    }
    if (unit == 0) return std::nullopt;
    text.remove_prefix(length);
    total += *number * unit;
  }
  return static_cast<int64_t>(total);
}

Result<int64_t> parse_moment(std::string_view text, int64_t now) {
  if (auto ago = parse_duration(text)) return now - *ago;
  std::string_view rest = text;
  auto seconds = parse_number(rest, text);
  if (seconds && rest.empty()) return static_cast<int64_t>(*seconds * 1e9);
  struct tm parts{};
  std::string date(text);
  const char* end = nullptr;
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    parts = {};
    end = ::strptime(date.c_str(), form, &parts);
    if (end != nullptr) break;
  }
  if (end == nullptr) {
    return fail_saying(
        EINVAL, "invalid time: '" + date + "' (2026-01-02T03:04:05Z, 10m, or seconds since 1970)");
  }
  int64_t moment = int64_t{::timegm(&parts)} * second_ns;
  if (*end == '.') {
    double fraction = 0;
    std::from_chars(end, date.data() + date.size(), fraction);
    moment += static_cast<int64_t>(fraction * 1e9);
  }
  return moment;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  auto widths = widths_of(rows);
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 == row.size()) continue;
      size_t room = std::max(widths[i] + column_gap, column_width_min);
      text += std::string(room - characters(row[i]), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string figures_table(const std::vector<std::vector<std::string>>& rows) {
  auto widths = widths_of(rows);
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      std::string pad(widths[i] - characters(row[i]), ' ');
      text += i == 0 ? row[i] + (row.size() > 1 ? pad : "") : "  " + pad + row[i];
    }
    text += '\n';
  }
  return text;
}

}  // namespace lyr::tools
