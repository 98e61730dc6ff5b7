// SPDX-License-Identifier: Apache-2.0
// The order of a commit is the crash promise: frames, fdatasync of the pack, recipes, trees and
// blobs (each fsynced before it has a name), their directories, then the catalogue's transaction.
// The index comes last: it is a cache.
#include <sys/file.h>

#include <algorithm>

#include "base/check.h"
#include "base/sys_file.h"
#include "store/import_state.h"

namespace lyr::store {
namespace {

Result<> publish(const Fd& layers, const std::string& name, std::optional<Spool>& file) {
  if (!file) return {};
  TRY(file->publish(layers, name));
  file.reset();
  return {};
}

Result<> publish_layers(const Store::State& store, std::span<FinishedLayer> layers) {
  if (layers.empty()) return {};
  for (FinishedLayer& layer : layers) {
    TRY(publish(store.layers, recipe_name(layer.record.diff_id), layer.recipe));
    TRY(publish(store.layers, layer_tree_name(layer.record.diff_id), layer.tree));
  }
  return about(sys::fsync(store.layers), "layers");
}

Result<> publish_blobs(const Store::State& store, std::span<const FinishedBlob> blobs) {
  if (blobs.empty()) return {};
  for (const FinishedBlob& finished : blobs) {
    std::string name = blob_name(finished.blob.digest);
    TRY(about(sys::fsync(finished.file), name));
    TRY(about(sys::link_over(finished.file, store.blobs, name.c_str()), name));
  }
  return about(sys::fsync(store.blobs), "blobs");
}

Result<Tree> open_tree(const Fd& directory, const std::string& name) {
  Fd file = TRY(about(sys::open_at(directory, name.c_str(), O_RDONLY), name));
  return about(Tree::open(std::move(file)), name);
}

// Makes the image's tree if it is not there, and says how much content it has. Whether its name
// has yet to be made durable: one that was there may come from an import beside this one, unless
// the catalogue has the image.
Result<bool> publish_image_tree(const Store::State& store, ImageRecord& image) {
  if (image.chain_id != chain_id_of(image.diff_ids)) {
    return fail(EINVAL, "chain id", image.chain_id.text());
  }
  std::string name = image_tree_name(image.chain_id);
  auto present = open_tree(store.trees, name);
  if (present) {
    image.content_bytes = present->content_bytes();
    auto known = TRY(store.catalog->image(image.id));
    return !known.has_value();
  }
  std::vector<Tree> trees;
  std::vector<const Tree*> layers;
  for (const Digest& diff_id : image.diff_ids) {
    auto tree = TRY(open_tree(store.layers, layer_tree_name(diff_id)));
    trees.push_back(std::move(tree));
  }
  for (const Tree& tree : trees) layers.push_back(&tree);
  auto merged = TRY(about(merge_trees(layers, Spool(store.trees)), name));
  TRY(merged.publish(store.trees, name));
  auto made = TRY(open_tree(store.trees, name));
  image.content_bytes = made.content_bytes();
  return true;
}

}  // namespace

bool Import::State::is_in_store(const ObjectId& object, std::span<const std::byte> data) {
  auto may_use = [this](const Place& place) { return leases.may_use(place); };
  return store->objects->find_same(object, data, may_use).has_value();
}

Result<ImportObject> Import::State::put(const ObjectId& object, std::span<const std::byte> data,
                                        const Piece* piece) {
  auto found = TRY(objects.find(object));
  if (found) return *found;
  bool reused = piece != nullptr ? piece->reused : is_in_store(object, data);
  if (reused) return objects.add(object, std::nullopt);
  if (writer && !writer->has_room(data.size())) TRY(seal());
  if (!writer) writer = TRY(PackWriter::create(store->packs, writes));
  uint16_t flags = piece != nullptr && piece->here ? frame_beside : 0;
  uint64_t offset = TRY(writer->append_borrowed(object, data, flags));
  return objects.add(object, Place{writer->number(), offset});
}

Result<> Import::State::look_for_pieces(LayerBatch& batch) {
  pieces.clear();
  auto look = [&](LayerBatch::Object& object, std::span<const std::byte> data) -> Result<> {
    if (object.file == 0) return {};
    auto found = TRY(objects.find(object.id));
    bool here = found || is_in_store(object.id, data);
    pieces.push_back({.file = object.file, .bytes = data.size(), .here = here});
    return {};
  };
  TRY(batch.each_object(look));
  choose_reused(pieces);
  return {};
}

Result<> Import::State::put_objects(LayerBatch& batch) {
  TRY(look_for_pieces(batch));
  const Piece* next = pieces.data();
  return batch.each_object(
      [&](LayerBatch::Object& object, std::span<const std::byte> data) -> Result<> {
        ImportObject kept = TRY(put(object.id, data, object.file != 0 ? next++ : nullptr));
        object.place = kept.place;
        object.number = kept.number;
        return {};
      });
}

Result<> Import::State::put(LayerBatch& batch) {
  std::scoped_lock lock(mutex);
  auto outcome = put_objects(batch);
  // Of a batch that failed, too: what the pack has borrowed of it is let go of with its writes.
  auto flushed = writer ? writer->flush() : Result<>();
  batch.writes = writes.added();
  TRY(std::move(outcome));
  return flushed;
}

Result<> Import::State::seal() {
  if (!writer) return {};
  uint64_t bytes = TRY(writer->seal());
  sealed.push_back({.number = writer->number(), .bytes = bytes});
  sealed_files.push_back(writer->file());
  writer.reset();
  return {};
}

// What was written for nothing goes at once: on a full disk that is the space people wait for.
Import::State::~State() {
  if (writer) static_cast<void>(sys::unlink_at(store->packs, pack_name(writer->number()).c_str()));
  for (const PackRecord& pack : sealed) {
    static_cast<void>(sys::unlink_at(store->packs, pack_name(pack.number).c_str()));
  }
  if (writer || !sealed.empty()) store->objects->packs().clear();
  if (finished.empty() && blobs.empty()) return;
  static_cast<void>(sweep(*store));  // layers whose image turned out not to be one
}

Import::Import(std::shared_ptr<State> state) : state_(std::move(state)) {}
Import::Import(Import&&) noexcept = default;
Import& Import::operator=(Import&&) noexcept = default;
Import::~Import() = default;

Result<Import> Store::begin_import() {
  static_cast<void>(sweep(*state_));  // what dead imports left; not needed, so not fatal
  auto leases = TRY(Leases::open(state_->directory));
  auto import = std::make_shared<Import::State>(state_, std::move(leases));
  TRY(state_->objects->catch_up());
  return Import(std::move(import));
}

Result<bool> Import::has_layer(const Digest& diff_id) const {
  {
    std::scoped_lock lock(state_->mutex);
    auto same = [&](const FinishedLayer& layer) { return layer.record.diff_id == diff_id; };
    if (std::ranges::any_of(state_->finished, same)) return true;
  }
  return state_->leases.has_layer(diff_id);
}

Result<> Import::commit(std::span<const ImageRecord> images, std::span<const Tag> tags) {
  std::scoped_lock lock(state_->mutex);
  Store::State& store = *state_->store;
  TRY(state_->seal());
  if (!state_->sealed.empty()) TRY(about(sys::fsync(store.packs), "packs"));
  Fd commit_lock = TRY(store.open_commit_lock());
  TRY(about(sys::flock(commit_lock, LOCK_SH), "commit.lock"));
  TRY(publish_layers(store, state_->finished));
  TRY(publish_blobs(store, state_->blobs));
  std::vector<ImageRecord> complete(images.begin(), images.end());
  bool trees_named = false;
  for (ImageRecord& image : complete) trees_named |= TRY(publish_image_tree(store, image));
  if (trees_named) TRY(about(sys::fsync(store.trees), "trees"));
  size_t written = state_->objects.written();
  if (written > 0) TRY(store.index->reserve(written));

  std::vector<LayerRecord> layers;
  for (const FinishedLayer& layer : state_->finished) layers.push_back(layer.record);
  std::vector<LayerBlob> blobs;
  for (const FinishedBlob& finished : state_->blobs) blobs.push_back(finished.blob);
  CatalogChange change{
      .images = complete, .tags = tags, .layers = layers, .blobs = blobs, .packs = state_->sealed};
  auto committed = store.catalog->commit(change);
  if (!committed) {
    // When the disk failed it may have kept the transaction: then its packs must stay, too. If it
    // did not, a sweep finds them.
    if (committed.error().code == EIO) state_->sealed.clear();
    return std::unexpected(std::move(committed).error());
  }
  state_->finished.clear();
  state_->blobs.clear();
  state_->sealed.clear();
  state_->sealed_files.clear();
  // From here on the import has happened; a reader that misses an object catches the index up
  // itself.
  static_cast<void>(store.objects->catch_up());
  return {};
}

}  // namespace lyr::store
