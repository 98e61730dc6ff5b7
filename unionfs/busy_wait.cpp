// SPDX-License-Identifier: Apache-2.0
#include "unionfs/busy_wait.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {
namespace {

// The fourth field of proc_loadavg(5) is "runnable/all"; -1: it is not there.
int runnable(std::string_view load) {
  for (int i = 0; i < 3; ++i) load.remove_prefix(std::min(load.find(' '), load.size() - 1) + 1);
  int count = -1;
  std::from_chars(load.data(), load.data() + load.size(), count);
  return count;
}

}  // namespace

void BusyWait::received(int64_t now) {
  bool quick = now - answered_at_ < window_ns;
  quick_ = quick ? std::min(quick_ + 1, score_max) : std::max(quick_ - 2, 0);
}

SpareCpu::SpareCpu() {
  auto cpus = sys::cpus_allowed();
  if (cpus) cpus_ = static_cast<int>(cpus->size());
  auto load = sys::open("/proc/loadavg", O_RDONLY);
  if (load) load_ = std::move(*load);
}

bool SpareCpu::at(int64_t now, int own) {
  if (!load_ || cpus_ < 2) return false;
  if (asked_at_ != 0 && now - asked_at_ < (spare_ ? lasts_ns : no_lasts_ns)) return spare_;
  asked_at_ = now;
  std::array<char, 128> text{};
  auto got = sys::pread(load_, std::as_writable_bytes(std::span(text)), 0);
  int running = got && *got > 0 ? runnable({text.data(), *got}) : -1;
  spare_ = running >= 0 && running - own < cpus_;  // we are one of them
  return spare_;
}

}  // namespace lyr::unionfs
