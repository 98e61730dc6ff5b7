// SPDX-License-Identifier: Apache-2.0
#include "store/catalog.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "store/catalog_record.h"
#include "store/catalog_state.h"

namespace lyr::store {
namespace {

// An LMDB key has at most 511 bytes.
constexpr size_t tag_bytes_max = 500;

// All rows of a table, decoded.
template <class Record>
Result<std::vector<Record>> all(const Transaction& transaction, MDB_dbi table,
                                Result<Record> (*decode)(std::string_view)) {
  std::vector<Record> records;
  auto row = [&](std::string_view, std::string_view value) -> Result<> {
    auto record = TRY(decode(value));
    records.push_back(std::move(record));
    return {};
  };
  TRY(transaction.each(table, row));
  return records;
}

template <class Record>
Result<std::optional<Record>> one(const Transaction& transaction, MDB_dbi table,
                                  std::string_view key,
                                  Result<Record> (*decode)(std::string_view)) {
  auto value = TRY(transaction.get(table, key));
  if (!value) return std::nullopt;
  return TRY(decode(*value));
}

Result<std::vector<ImageRecord>> all_images(const Transaction& transaction, MDB_dbi table) {
  auto records = TRY(all(transaction, table, decode_image));
  std::ranges::stable_sort(records, std::greater<>(), &ImageRecord::created_unix);
  return records;
}

Result<std::vector<Tag>> all_tags(const Transaction& transaction, MDB_dbi table) {
  std::vector<Tag> tags;
  auto row = [&](std::string_view key, std::string_view value) -> Result<> {
    Tag tag;
    tag.name = key;
    if (value.size() != tag.image.bytes.size()) return fail(EUCLEAN, "tag record", tag.name);
    std::memcpy(tag.image.bytes.data(), value.data(), value.size());
    tags.push_back(std::move(tag));
    return {};
  };
  TRY(transaction.each(table, row));
  return tags;
}

}  // namespace

Catalog::Catalog(std::shared_ptr<State> state) : state_(std::move(state)) {}
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;
Catalog::~Catalog() = default;

Result<Catalog> Catalog::open(const std::string& directory) {
  auto state = TRY(State::open(directory));
  return Catalog(std::move(state));
}

Result<std::optional<ImageRecord>> Catalog::image(const Digest& id) const {
  auto transaction = TRY(state_->reading());
  return one(transaction, state_->images, key_of(id), decode_image);
}

Result<std::vector<ImageRecord>> Catalog::images() const {
  auto transaction = TRY(state_->reading());
  return all_images(transaction, state_->images);
}

Result<std::optional<LayerRecord>> Catalog::layer(const Digest& diff_id) const {
  auto transaction = TRY(state_->reading());
  return one(transaction, state_->layers, key_of(diff_id), decode_layer);
}

Result<std::vector<LayerRecord>> Catalog::layers() const {
  auto transaction = TRY(state_->reading());
  return all(transaction, state_->layers, decode_layer);
}

Result<std::vector<PackRecord>> Catalog::packs() const {
  auto transaction = TRY(state_->reading());
  return all(transaction, state_->packs, decode_pack);
}

Result<std::optional<PackRecord>> Catalog::pack(PackNumber number) const {
  auto transaction = TRY(state_->reading());
  return one(transaction, state_->packs, key_of(number), decode_pack);
}

Result<std::vector<Tag>> Catalog::tags() const {
  auto transaction = TRY(state_->reading());
  return all_tags(transaction, state_->tags);
}

Result<CatalogRows> Catalog::rows() const {
  auto transaction = TRY(state_->reading());
  CatalogRows rows;
  rows.images = TRY(all_images(transaction, state_->images));
  rows.layers = TRY(all(transaction, state_->layers, decode_layer));
  rows.packs = TRY(all(transaction, state_->packs, decode_pack));
  rows.tags = TRY(all_tags(transaction, state_->tags));
  return rows;
}

Result<std::optional<Digest>> Catalog::tag(std::string_view name) const {
  if (name.empty() || name.size() > tag_bytes_max) return std::nullopt;
  auto transaction = TRY(state_->reading());
  auto value = TRY(transaction.get(state_->tags, name));
  if (!value) return std::nullopt;
  Digest digest;
  if (value->size() != digest.bytes.size()) return fail(EUCLEAN, "tag record", std::string(name));
  std::memcpy(digest.bytes.data(), value->data(), value->size());
  return digest;
}

Result<uint64_t> Catalog::sequence() const {
  auto transaction = TRY(state_->reading());
  return read_number(transaction, state_->meta, sequence_key);
}

Result<bool> Catalog::State::put_layers(Transaction& transaction,
                                        std::span<const LayerRecord> records) const {
  bool written = false;
  for (const LayerRecord& record : records) {
    auto present = TRY(transaction.get(layers, key_of(record.diff_id)));
    if (present) continue;  // another import brought it meanwhile
    written |= TRY(transaction.put(layers, key_of(record.diff_id), encode(record)));
  }
  return written;
}

Result<bool> Catalog::State::put_blobs(Transaction& transaction,
                                       std::span<const LayerBlob> blobs) const {
  bool written = false;
  for (const LayerBlob& blob : blobs) {
    auto present = TRY(transaction.get(layers, key_of(blob.diff_id)));
    if (!present) return fail(ENOENT, "blob without its layer", blob.diff_id.text());
    auto record = TRY(decode_layer(*present));
    record.blob_digest = blob.digest;
    record.blob_bytes = blob.bytes;
    record.blob_media_type = blob.media_type;
    record.blob_kept = true;
    written |= TRY(transaction.put(layers, key_of(blob.diff_id), encode(record)));
  }
  return written;
}

Result<bool> Catalog::State::put_images(Transaction& transaction,
                                        std::span<const ImageRecord> records) const {
  bool written = false;
  for (const ImageRecord& record : records) {
    for (const Digest& diff_id : record.diff_ids) {
      auto present = TRY(transaction.get(layers, key_of(diff_id)));
      if (!present) return fail(ENOENT, "image without its layer", diff_id.text());
    }
    written |= TRY(transaction.put(images, key_of(record.id), encode(record)));
  }
  return written;
}

Result<uint64_t> Catalog::commit(const CatalogChange& change) {
  auto transaction = TRY(state_->writing());
  uint64_t sequence = TRY(read_number(transaction, state_->meta, sequence_key));
  bool written = TRY(state_->put_layers(transaction, change.layers));
  written |= TRY(state_->put_blobs(transaction, change.blobs));
  written |= TRY(state_->put_images(transaction, change.images));
  for (const Tag& tag : change.tags) {
    if (tag.name.empty() || tag.name.size() > tag_bytes_max) return fail(EINVAL, "tag", tag.name);
    auto image = TRY(transaction.get(state_->images, key_of(tag.image)));
    if (!image) return fail(ENOENT, "tag", tag.image.text());
    written |= TRY(transaction.put(state_->tags, tag.name, key_of(tag.image)));
  }
  if (!change.packs.empty()) ++sequence;
  for (PackRecord pack : change.packs) {
    pack.sequence = sequence;
    written |= TRY(transaction.put(state_->packs, key_of(pack.number), encode(pack)));
  }
  if (!written) return sequence;
  TRY(write_number(transaction, state_->meta, sequence_key, sequence));
  TRY(transaction.commit());
  state_->reserve();
  return sequence;
}

Result<> Catalog::set_tag(std::string_view name, const Digest& image) {
  Tag tag{std::string(name), image};
  CatalogChange change;
  change.tags = {&tag, 1};
  TRY(commit(change));
  return {};
}

Result<bool> Catalog::remove_tag(std::string_view name) {
  if (name.empty() || name.size() > tag_bytes_max) return false;
  auto transaction = TRY(state_->writing());
  bool removed = TRY(transaction.remove(state_->tags, name));
  if (removed) TRY(transaction.commit());
  return removed;
}

}  // namespace lyr::store
