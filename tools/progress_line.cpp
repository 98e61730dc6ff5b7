// SPDX-License-Identifier: Apache-2.0
#include "tools/progress_line.h"

#include <cstdio>

#include "base/sys_event.h"
#include "tools/text.h"

namespace lyr::tools {
namespace {

constexpr int64_t step_ms = 100;

}  // namespace

ProgressLine::ProgressLine(const char* verb, bool wanted)
    : verb_(verb), shown_(wanted && sys::is_terminal(sys::standard_error())) {}

void ProgressLine::show(uint64_t done_bytes, uint64_t total_bytes) {
  if (!shown_ || sys::now_monotonic_ms() - last_ms_ < step_ms) return;
  last_ms_ = sys::now_monotonic_ms();
  std::string of = total_bytes == 0 ? "" : " of " + human_size(total_bytes);
  std::fprintf(stderr, "\r%s %s%s\x1b[K", verb_, human_size(done_bytes).c_str(), of.c_str());
  drawn_ = true;
}

void ProgressLine::clear() const {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace lyr::tools
