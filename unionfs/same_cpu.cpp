// SPDX-License-Identifier: Apache-2.0
#include "unionfs/same_cpu.h"

#include <algorithm>

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

void SameCpu::keep_until(int64_t ns, int64_t gap) {
  if (refused_) return;
  int side = place_.value_or(sys::current_cpu() == hold_.cpus()[0] ? 0 : 1);
  if (place_ && side_.changes(gap)) side = 1 - side;
  if (place_ != side) {
    place_ = side;
    refused_ = !sys::allow_cpus(hold_.cpus().subspan(static_cast<size_t>(side), 1));
  }
  refused_ = refused_ || !hold_.keep(1 - side, ns);
  if (refused_) stop();
}

void SameCpu::stop() {
  if (!place_) return;
  place_.reset();
  hold_.release();
  static_cast<void>(sys::allow_cpus(hold_.cpus()));
}

}  // namespace lyr::unionfs
