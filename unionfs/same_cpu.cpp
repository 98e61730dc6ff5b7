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

SameCpu::SameCpu(const Askers& askers)
    : hold_([&askers](uint32_t asker) {
        uint32_t thread = askers.thread(asker);
        return thread == 0 ? -1 : cpu_of_thread(thread).value_or(-1);
      }),
      misses_(askers.known() ? 0 : misses_max) {}

// The side of who asks, when a look has told just now.
std::optional<int> SameCpu::theirs() {
  auto cpu = hold_.back();
  if (!cpu) return std::nullopt;
  misses_ = *cpu >= 0 ? 0 : std::min(misses_ + 1, misses_max);
  auto found = std::ranges::find(hold_.cpus(), *cpu);
  if (found == hold_.cpus().end()) return std::nullopt;
  return static_cast<int>(found - hold_.cpus().begin());
}

int SameCpu::next_side(int64_t gap, uint32_t asker) {
  bool tries = misses_ == misses_max;
  if (gap >= Side::quick_ns) ++requests_;
  if (requests_ >= (tries ? trials_max : slow_max)) {
    requests_ = 0;
    if (asker == 0) misses_ = std::min(misses_ + 1, misses_max);
    hold_.send(asker);
  }
  if (auto side = theirs()) return *side;
  return tries && side_.changes(gap) ? 1 - place_ : place_;
}

void SameCpu::keep_until(int64_t ns, int64_t gap, uint32_t asker) {
  if (way_ == Way::together) return stay(next_side(gap, asker), ns);
  int side = sys::current_cpu() == hold_.cpus()[0] ? 0 : 1;
  if (way_ == Way::apart) side = 1 - place_;
  way_ = Way::together;
  requests_ = 0;
  stay(side, ns);
}

void SameCpu::keep_apart_until(int64_t ns, uint32_t asker) {
  bool begins = way_ != Way::apart;
  int side = sys::current_cpu() == hold_.cpus()[0] ? 0 : 1;
  if (way_ == Way::together) side = 1 - place_;
  if (way_ == Way::apart) side = place_;
  way_ = Way::apart;
  // WRITEs are nobody's.
  if (asker != 0 && (begins || ++requests_ >= apart_max)) {
    requests_ = 0;
    hold_.send(asker);
  }
  if (auto found = theirs()) side = 1 - *found;
  stay(side, ns);
}

void SameCpu::stay(int side, int64_t ns) {
  if (refused_) return;
  if (bound_ != side) {
    bound_ = side;
    refused_ = !sys::allow_cpus(hold_.cpus().subspan(static_cast<size_t>(side), 1));
  }
  place_ = side;
  refused_ = refused_ || !hold_.keep(1 - side, ns);
  if (refused_) stop();
}

void SameCpu::stop() {
  way_ = Way::free;
  if (!bound_) return;
  bound_.reset();
  hold_.release();
  static_cast<void>(sys::allow_cpus(hold_.cpus()));
}

}  // namespace lyr::unionfs
