// SPDX-License-Identifier: Apache-2.0
// One line on standard error that says how far something has come, while that is a terminal.
#pragma once

#include <cstdint>

namespace lyr::tools {

class ProgressLine {
 public:
  // `verb`: "loading", a string literal.
  ProgressLine(const char* verb, bool wanted);
  // From one thread at a time. A total of 0: unknown.
  void show(uint64_t done_bytes, uint64_t total_bytes);
  void clear() const;

 private:
  const char* verb_;
  bool shown_;
  bool drawn_ = false;
  int64_t last_ms_ = 0;
};

}  // namespace lyr::tools
