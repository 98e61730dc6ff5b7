// SPDX-License-Identifier: Apache-2.0
// What the store takes on disk: blocks, as du counts them.
#include "base/sys_file.h"
#include "store/collect.h"

namespace lyr::store {
Result<uint64_t> disk_bytes(const Store::State& state) {
  return about(sys::disk_bytes_at(state.directory, "."), "the store");
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
  auto records = TRY(state_->catalog->layers());
  for (const LayerRecord& layer : records) {
    if (!layer.blob_kept || layers.contains(layer.diff_id)) continue;
    auto status = sys::stat_at(state_->blobs, blob_name(layer.blob_digest).c_str());
    if (status) usage.reclaimable_bytes += static_cast<uint64_t>(status->st_blocks) * 512;
  }
  auto hot_files = TRY(state_->hot_files->files());
  for (const auto& [name, bytes] : hot_files) usage.reclaimable_bytes += bytes;
  return usage;
}

}  // namespace lyr::store
