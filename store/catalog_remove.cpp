// SPDX-License-Identifier: Apache-2.0
// The catalogue's other direction: images, layers and packs that go, and what takes their place.
#include "store/catalog_record.h"
#include "store/catalog_state.h"

namespace lyr::store {

Result<size_t> Catalog::State::forget_unused_layers(Transaction& transaction,
                                                    std::set<Digest> candidates,
                                                    const MayForget& may_forget) const {
  auto row = [&](std::string_view, std::string_view value) -> Result<> {
    auto record = TRY(decode_image(value));
    for (const Digest& diff_id : record.diff_ids) candidates.erase(diff_id);
    return {};
  };
  TRY(transaction.each(images, row));
  std::erase_if(candidates, [&](const Digest& diff_id) { return !may_forget(diff_id); });
  for (const Digest& diff_id : candidates) TRY(transaction.remove(layers, key_of(diff_id)));
  return candidates.size();
}

Result<> Catalog::remove_image(const Digest& id, const MayForget& may_forget) {
  auto transaction = TRY(state_->writing());
  auto value = TRY(transaction.get(state_->images, key_of(id)));
  if (!value) return fail(ENOENT, "image", id.text());
  auto gone = TRY(decode_image(*value));
  TRY(transaction.remove(state_->images, key_of(id)));
  std::vector<std::string> names;
  auto row = [&](std::string_view name, std::string_view image) -> Result<> {
    if (image == key_of(id)) names.emplace_back(name);
    return {};
  };
  TRY(transaction.each(state_->tags, row));
  for (const std::string& name : names) TRY(transaction.remove(state_->tags, name));
  std::set<Digest> layers(gone.diff_ids.begin(), gone.diff_ids.end());
  TRY(state_->forget_unused_layers(transaction, std::move(layers), may_forget));
  return transaction.commit();
}

Result<size_t> Catalog::forget_layers(const MayForget& may_forget) {
  auto transaction = TRY(state_->writing());
  std::set<Digest> all;
  auto row = [&](std::string_view, std::string_view value) -> Result<> {
    auto record = TRY(decode_layer(value));
    all.insert(record.diff_id);
    return {};
  };
  TRY(transaction.each(state_->layers, row));
  size_t count = TRY(state_->forget_unused_layers(transaction, std::move(all), may_forget));
  if (count > 0) TRY(transaction.commit());
  return count;
}

Result<DroppedFrames> Catalog::dropped(PackNumber number) const {
  auto transaction = TRY(state_->reading());
  auto value = TRY(transaction.get(state_->dropped, key_of(number)));
  if (!value) return DroppedFrames{.pack = number, .frames = {}};
  auto dropped = TRY(decode_dropped(*value));
  if (dropped.pack != number) return fail(EUCLEAN, "dropped frames", pack_name(number));
  return dropped;
}

Result<uint64_t> Catalog::change_packs(const PackChange& change) {
  auto transaction = TRY(state_->writing());
  uint64_t sequence = TRY(read_number(transaction, state_->meta, sequence_key));
  for (const PackNumber& number : change.removed) {
    TRY(transaction.remove(state_->packs, key_of(number)));
    TRY(transaction.remove(state_->dropped, key_of(number)));
  }
  for (const DroppedFrames& dropped : change.dropped) {
    TRY(transaction.put(state_->dropped, key_of(dropped.pack), encode(dropped)));
  }
  if (!change.added.empty()) {
    ++sequence;
    TRY(write_number(transaction, state_->meta, sequence_key, sequence));
  }
  for (PackRecord pack : change.added) {
    pack.sequence = sequence;
    TRY(transaction.put(state_->packs, key_of(pack.number), encode(pack)));
  }
  TRY(transaction.commit());
  state_->reserve();
  return sequence;
}

}  // namespace lyr::store
