// SPDX-License-Identifier: Apache-2.0
// A container's log: one line a piece of output, "TIME STREAM F|P text" (the format of Kubernetes'
// CRI: P marks a piece without its newline). Bytes are kept as they are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace lyr::engine {

constexpr char log_name[] = "container.log";
constexpr size_t log_piece_bytes_max = 16 << 10;  // a longer line is cut into P pieces

// Appends output as it comes. Not thread-safe.
class LogWriter {
 public:
  static Result<LogWriter> open(const Fd& persistent);
  Result<> write(bool standard_error, std::span<const std::byte> data);
  // Writes what waits for its newline.
  Result<> finish();

 private:
  explicit LogWriter(Fd file) : file_(std::move(file)) {}
  Result<> piece(bool standard_error, char kind, std::string_view text);
  Result<> flush();

  Fd file_;
  bool may_be_torn_ = true;  // the file may end within a line: before our first write, or a failure
  std::string pending_[2];   // of each stream
  std::string out_;
};

// "2026-01-02T03:04:05.123456789Z"
std::string format_time(int64_t unix_ns);
// `nanoseconds`: 0 to 999999999.
std::string format_time(time_t unix_seconds, int64_t nanoseconds);
// Absent when it is no such time.
std::optional<int64_t> parse_time(std::string_view text);
// One log line without its newline; absent when it is none. `text` borrows from `line` and lacks
// the newline.
std::optional<LogLine> parse_log_line(std::string_view line, bool& whole);

// Reads what is in the log, then, with `follow`, what is added while `running()` says so.
Result<> read_log(const Fd& persistent, const LogOptions& options,
                  const std::function<bool()>& running,
                  const std::function<bool(const LogLine&)>& each);

}  // namespace lyr::engine
