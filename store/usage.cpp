// SPDX-License-Identifier: Apache-2.0
// What the store takes on disk: blocks, as du counts them.
#include "base/sys_file.h"
#include "store/collect.h"

namespace lyr::store {
namespace {

Result<uint64_t> disk_bytes_in(const Fd& directory, int depth) {
  auto own = TRY(sys::stat(directory));
  uint64_t blocks = static_cast<uint64_t>(own.st_blocks);
  uint64_t below = 0;
  Result<> failure;
  auto add = [&](const sys::DirectoryEntry& entry) -> Result<> {
    std::string name(entry.name);
    auto status = sys::stat_at(directory, name.c_str());
    if (!status) return {};  // gone meanwhile
    if (S_ISDIR(status->st_mode) && depth > 0) {
      Fd inner = TRY(sys::open_at(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      uint64_t bytes = TRY(disk_bytes_in(inner, depth - 1));
      below += bytes;
    } else {
      blocks += static_cast<uint64_t>(status->st_blocks);
    }
    return {};
  };
  TRY(sys::read_directory(directory, [&](const sys::DirectoryEntry& entry) {
    failure = add(entry);
    return failure.has_value();
  }));
  TRY(std::move(failure));
  return blocks * 512 + below;
}

}  // namespace

Result<uint64_t> disk_bytes(const Store::State& state) {
  // A descriptor has one position: this one is ours.
  Fd own = TRY(sys::open_at(state.directory, ".", O_RDONLY | O_DIRECTORY));
  return disk_bytes_in(own, 1);
}

Result<StoreUsage> Store::usage(std::span<const Digest> kept) const {
  StoreUsage usage;
  usage.disk_bytes = TRY(disk_bytes(*state_));
  auto liveness = TRY(Liveness::of_packs(state_->packs, *state_->catalog));
  std::set<Digest> layers;
  for (const Digest& id : kept) {
    auto image = TRY(state_->catalog->image(id));
    if (image) layers.insert(image->diff_ids.begin(), image->diff_ids.end());
  }
  TRY(mark_layers(*state_, layers, liveness));
  for (const PackObjects& pack : liveness.packs()) {
    auto status = sys::stat_at(state_->packs, pack_name(pack.record.number).c_str());
    if (!status) continue;
    PackPlan plan = plan_pack(liveness, pack, *status);
    usage.reclaimable_bytes += plan.disk_bytes - plan.bytes_after();
  }
  return usage;
}

}  // namespace lyr::store
