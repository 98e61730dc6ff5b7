// SPDX-License-Identifier: Apache-2.0
#include "engine/log_file.h"

#include <charconv>
#include <ctime>

#include "base/sys_event.h"
#include "base/sys_file.h"

namespace lyr::engine {
namespace {

constexpr int64_t second_ns = 1000000000;
constexpr size_t time_bytes = 30;  // of format_time

Result<bool> ends_within_line(const Fd& file) {
  auto status = TRY(sys::stat(file));
  if (status.st_size == 0) return false;
  std::byte last{};
  TRY(sys::pread_exactly(file, {&last, 1}, static_cast<uint64_t>(status.st_size) - 1));
  return last != std::byte{'\n'};
}

}  // namespace

std::string format_time(int64_t unix_ns) {
  int64_t seconds = unix_ns / second_ns - (unix_ns % second_ns < 0 ? 1 : 0);
  return format_time(seconds, unix_ns - seconds * second_ns);
}

std::string format_time(time_t unix_seconds, int64_t nanoseconds) {
  struct tm parts{};
  ::gmtime_r(&unix_seconds, &parts);
  char text[64];
  size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string fraction = std::to_string(nanoseconds + second_ns).substr(1);
  return std::string(text, size) + "." + fraction + "Z";
}

std::optional<int64_t> parse_time(std::string_view text) {
  if (text.size() != time_bytes || text[10] != 'T' || text[19] != '.' || text[29] != 'Z') {
    return std::nullopt;
  }
  struct tm parts{};
  std::string date(text.substr(0, 19));
  if (::strptime(date.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return std::nullopt;
  uint32_t fraction = 0;
  auto [end, error] = std::from_chars(text.data() + 20, text.data() + 29, fraction);
  if (error != std::errc() || end != text.data() + 29) return std::nullopt;
  int64_t seconds = ::timegm(&parts);
  // What does not fit 64 bits of nanoseconds (years 1677 to 2262) is no time of a log.
  if (seconds <= INT64_MIN / second_ns || seconds >= INT64_MAX / second_ns) return std::nullopt;
  return seconds * second_ns + fraction;
}

std::optional<LogLine> parse_log_line(std::string_view line, bool& whole) {
  // TIME SP stdout|stderr SP F|P SP text
  constexpr size_t text_at = time_bytes + 10;
  if (line.size() < text_at || line[time_bytes] != ' ') return std::nullopt;
  std::string_view stream = line.substr(time_bytes + 1, 6);
  char kind = line[time_bytes + 8];
  if ((stream != "stdout" && stream != "stderr") || (kind != 'F' && kind != 'P'))
    return std::nullopt;
  auto time = parse_time(line.substr(0, time_bytes));
  if (!time) return std::nullopt;
  whole = kind == 'F';
  return LogLine{stream == "stderr", *time, line.substr(text_at)};
}

Result<LogWriter> LogWriter::open(const Fd& persistent) {
  return LogWriter(TRY(sys::open_at(persistent, log_name, O_RDWR | O_CREAT | O_APPEND, 0600)));
}

Result<> LogWriter::flush() {
  // A kill or a full disk may have cut a line: what we add must not become its end.
  if (may_be_torn_ && !out_.empty()) {
    auto torn = ends_within_line(file_);
    if (torn.value_or(true)) out_.insert(0, 1, '\n');
  }
  auto written = sys::write_all(file_, out_);
  may_be_torn_ = !written || (may_be_torn_ && out_.empty());
  out_.clear();
  return written;
}

Result<> LogWriter::piece(bool standard_error, char kind, std::string_view text) {
  out_ += format_time(sys::now_unix_ns());
  out_ += standard_error ? " stderr " : " stdout ";
  out_ += kind;
  out_ += ' ';
  out_ += text;
  out_ += '\n';
  return {};
}

Result<> LogWriter::write(bool standard_error, std::span<const std::byte> data) {
  std::string& pending = pending_[standard_error ? 1 : 0];
  std::string_view rest(reinterpret_cast<const char*>(data.data()), data.size());
  while (!rest.empty()) {
    size_t newline = rest.find('\n');
    std::string_view part = rest.substr(0, newline);
    size_t room = log_piece_bytes_max - pending.size();
    if (part.size() > room) {
      pending.append(part.substr(0, room));
      TRY(piece(standard_error, 'P', pending));
      pending.clear();
      rest.remove_prefix(room);
      continue;
    }
    pending.append(part);
    if (newline == std::string_view::npos) break;
    TRY(piece(standard_error, 'F', pending));
    pending.clear();
    rest.remove_prefix(newline + 1);
  }
  return flush();
}

Result<> LogWriter::finish() {
  for (int stream = 0; stream < 2; ++stream) {
    if (!pending_[stream].empty()) TRY(piece(stream == 1, 'P', pending_[stream]));
    pending_[stream].clear();
  }
  return flush();
}

}  // namespace lyr::engine
