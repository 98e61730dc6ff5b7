// SPDX-License-Identifier: Apache-2.0
#include "unionfs/same_cpu.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::unionfs {

bool Side::changes(int64_t gap) {
  gap = std::min(gap, gap_max_ns);
  mean_ = here_ == 0 ? gap : mean_ + (gap - mean_) / 4;
  ++here_;
  if (mean_ < quick_ns) {
    tries_ = false;
    slow_ = 0;
    patience_ = patience_min;
    return false;
  }
  ++slow_;
  if (tries_) {
    if (here_ < trial) return false;
    tries_ = false;
    slow_ = 0;
    if (mean_ < elsewhere_ - elsewhere_ / 4) return false;
    patience_ = std::min(2 * patience_, patience_max);
  } else {
    if (slow_ < patience_) return false;
    tries_ = true;
    elsewhere_ = mean_;
  }
  here_ = slow_ = 0;
  return true;
}

// The 39th field of proc_pid_stat(5); the second one is in brackets, and may have any.
std::optional<int> cpu_of_thread(uint32_t thread) {
  std::string path = "/proc/" + std::to_string(thread) + "/stat";
  auto status = sys::read_file_at(sys::cwd(), path.c_str(), 4096);
  if (!status) return std::nullopt;
  std::string_view rest = *status;
  size_t bracket = rest.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(bracket);
  for (int field = 2; field < 39; ++field) {
    size_t space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  int cpu = -1;
  auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), cpu);
  return parsed.ec == std::errc() ? std::optional(cpu) : std::nullopt;
}

std::optional<int> SameCpu::side_of(uint32_t asker) {
  uint32_t thread = askers_.thread(asker);
  auto cpu = thread == 0 ? std::nullopt : cpu_of_thread(thread);
  misses_ = cpu ? 0 : std::min(misses_ + 1, misses_max);
  if (!cpu) return std::nullopt;
  auto found = std::ranges::find(hold_.cpus(), *cpu);
  if (found == hold_.cpus().end()) return std::nullopt;
  return static_cast<int>(found - hold_.cpus().begin());
}

int SameCpu::next_side(int64_t gap, uint32_t asker) {
  if (!place_) return sys::current_cpu() == hold_.cpus()[0] ? 0 : 1;
  bool tries = misses_ == misses_max;
  if (gap >= Side::quick_ns) ++slow_;
  if (slow_ < (tries ? trials_max : slow_max)) {
    if (!tries) return *place_;
    return side_.changes(gap) ? 1 - *place_ : *place_;
  }
  slow_ = 0;
  return side_of(asker).value_or(*place_);
}

void SameCpu::keep_until(int64_t ns, int64_t gap, uint32_t asker) {
  if (apart_) stop();
  stay(next_side(gap, asker), ns);
}

void SameCpu::keep_apart_until(int64_t ns, uint32_t asker) {
  bool looks = !apart_ || ++slow_ >= apart_max;
  if (looks) {
    slow_ = 0;
    apart_ = true;
    int here = place_.value_or(sys::current_cpu() == hold_.cpus()[0] ? 0 : 1);
    auto theirs = asker == 0 ? std::nullopt : side_of(asker);
    stay(theirs ? 1 - *theirs : here, ns);
  } else if (place_) {
    stay(*place_, ns);
  }
}

void SameCpu::stay(int side, int64_t ns) {
  if (refused_) return;
  if (place_ != side) {
    place_ = side;
    refused_ = !sys::allow_cpus(hold_.cpus().subspan(static_cast<size_t>(side), 1));
  }
  refused_ = refused_ || !hold_.keep(1 - side, ns);
  if (refused_) stop();
}

void SameCpu::stop() {
  apart_ = false;
  if (!place_) return;
  place_.reset();
  hold_.release();
  static_cast<void>(sys::allow_cpus(hold_.cpus()));
}

}  // namespace lyr::unionfs
