// SPDX-License-Identifier: Apache-2.0
#include "store/pack_plan.h"

#include <algorithm>

namespace lyr::store {
namespace {

// Punching again what a killed collection did not get to is worth it from here on.
constexpr uint64_t punch_again_bytes = 64 << 10;
constexpr uint64_t rewrite_gain_bytes = 256 << 10;

void add_hole(std::vector<FileRange>& holes, uint64_t from, uint64_t to) {
  from = (from + punch_block_bytes - 1) / punch_block_bytes * punch_block_bytes;
  to = to / punch_block_bytes * punch_block_bytes;
  if (from < to) holes.push_back({from, to - from});
}

PackPlan::Kind choose(const PackPlan& plan) {
  if (plan.live_bytes == 0) return PackPlan::Kind::remove;
  // What was written anew has neither, so that it is not written anew again.
  if (plan.dead_objects == 0 && plan.holes.empty()) return PackPlan::Kind::keep;
  uint64_t punched = std::min(plan.punched_bytes, plan.disk_bytes);
  bool worth_it = punched > plan.live_bytes + rewrite_gain_bytes;
  if (worth_it && plan.live_bytes * 100 < punched * full_enough_percent) {
    return PackPlan::Kind::rewrite;
  }
  uint64_t gain = plan.disk_bytes - punched;
  bool punch = gain > 0 && (plan.dead_objects > 0 || gain > punch_again_bytes);
  return punch ? PackPlan::Kind::punch : PackPlan::Kind::keep;
}

}  // namespace

uint64_t PackPlan::bytes_after() const {
  switch (kind) {
    case Kind::remove:
      return 0;
    case Kind::punch:
      return std::min(disk_bytes, punched_bytes);
    case Kind::rewrite:
      return std::min(disk_bytes, live_bytes);
    case Kind::keep:
      break;
  }
  return disk_bytes;
}

PackPlan plan_pack(const Liveness& liveness, const PackObjects& pack, const struct stat& status) {
  PackPlan plan;
  plan.disk_bytes = static_cast<uint64_t>(status.st_blocks) * 512;
  if (pack.footer_bytes == 0) return plan;
  auto entries = liveness.entries(pack);
  uint64_t live_end = sizeof(PackHeader);
  for (size_t i = 0; i < entries.size(); ++i) {
    uint64_t bytes = sizeof(FrameHeader) + entries[i].stored_bytes;
    if (liveness.live(pack, i)) {
      add_hole(plan.holes, live_end, entries[i].offset);
      live_end = entries[i].offset + bytes;
      plan.live_bytes += bytes;
    } else {
      plan.dead_bytes += bytes;
      ++plan.dead_objects;
    }
  }
  uint64_t size = pack.record.bytes;
  if (pack.footer_bytes < size) add_hole(plan.holes, live_end, size - pack.footer_bytes);
  plan.punched_bytes = (size + punch_block_bytes - 1) / punch_block_bytes * punch_block_bytes;
  for (const FileRange& hole : plan.holes) plan.punched_bytes -= hole.length;
  plan.kind = choose(plan);
  return plan;
}

}  // namespace lyr::store
