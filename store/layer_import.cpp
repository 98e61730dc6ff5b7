// SPDX-License-Identifier: Apache-2.0
// One layer on its way in: file content is cut into objects, everything else goes into the recipe
// as it is.
#include <algorithm>

#include "base/check.h"
#include "store/chunker.h"
#include "store/import_state.h"
#include "store/layer_writer.h"

namespace lyr::store {

struct LayerImport::State {
  std::shared_ptr<Import::State> import;
  std::unique_ptr<LayerWriter> writer;
  LayerTreeBuilder tree;
  // The file being written: what of it is not cut into objects yet, from `consumed` on.
  bool in_file = false;
  uint32_t file = 0;  // the number of the last one that is cut
  uint64_t file_bytes = 0;
  uint64_t received = 0;
  uint64_t cut = 0;
  std::vector<std::byte> pending;
  size_t consumed = 0;
  std::vector<LayerExtent> extents;
  uint32_t objects = 0;  // of all files so far

  Result<> cut_objects(bool last);
  bool is_whole() const { return file_bytes <= whole_file_bytes_max; }
  Result<> put_object(std::span<const std::byte> data);
};

LayerImport::LayerImport(std::unique_ptr<State> state) : state_(std::move(state)) {}
LayerImport::LayerImport(LayerImport&&) noexcept = default;
LayerImport& LayerImport::operator=(LayerImport&&) noexcept = default;
LayerImport::~LayerImport() = default;

Result<LayerImport> Import::begin_layer() {
  auto layer = std::make_unique<LayerImport::State>();
  layer->import = state_;
  layer->writer = TRY(LayerWriter::start(state_));
  return LayerImport(std::move(layer));
}

LayerTreeBuilder& LayerImport::tree() { return state_->tree; }

Result<> LayerImport::inline_bytes(std::span<const std::byte> data) {
  CHECK(!state_->in_file);
  return state_->writer->verbatim(data);
}

Result<> LayerImport::begin_file(uint64_t size) {
  CHECK(!state_->in_file);
  state_->in_file = true;
  state_->file_bytes = size;
  if (!state_->is_whole()) ++state_->file;
  state_->received = 0;
  state_->cut = 0;
  state_->pending.clear();
  state_->consumed = 0;
  state_->extents.clear();
  return {};
}

Result<> LayerImport::State::put_object(std::span<const std::byte> data) {
  if (all_zeros(data)) {
    TRY(writer->zeros(data.size()));  // a hole: no extent covers it
  } else {
    TRY(writer->object(data, is_whole() ? 0 : file));
    extents.push_back(
        {.file_offset = cut, .length = data.size(), .object_offset = 0, .object = objects++});
  }
  cut += data.size();
  return {};
}

// Cuts what can be cut: a chunk's end is known when a whole longest chunk, or the file's end, is
// there.
Result<> LayerImport::State::cut_objects(bool last) {
  auto rest = std::span<const std::byte>(pending).subspan(consumed);
  while (rest.size() >= chunk_bytes_max || (last && !rest.empty())) {
    size_t length = is_whole() ? rest.size() : first_chunk(rest);
    TRY(put_object(rest.first(length)));
    consumed += length;
    rest = rest.subspan(length);
  }
  if (consumed >= chunk_bytes_max || rest.empty()) {
    pending.erase(pending.begin(), pending.begin() + static_cast<ptrdiff_t>(consumed));
    consumed = 0;
  }
  return {};
}

Result<> LayerImport::file_bytes(std::span<const std::byte> data) {
  CHECK(state_->in_file);
  if (data.size() > state_->file_bytes - state_->received)
    return fail(EINVAL, "file longer than it said");
  state_->received += data.size();
  // A small file that comes in one piece needs no copy.
  bool whole = data.size() == state_->file_bytes && state_->is_whole();
  if (whole && !data.empty()) return state_->put_object(data);
  while (!data.empty()) {
    auto piece = data.first(std::min(data.size(), chunk_bytes_max));
    state_->pending.insert(state_->pending.end(), piece.begin(), piece.end());
    data = data.subspan(piece.size());
    TRY(state_->cut_objects(false));
  }
  return {};
}

Result<FileContent> LayerImport::end_file() {
  CHECK(state_->in_file);
  state_->in_file = false;
  if (state_->received != state_->file_bytes) return fail(EINVAL, "file shorter than it said");
  TRY(state_->cut_objects(true));
  return FileContent{.size = state_->file_bytes, .extents = std::move(state_->extents)};
}

Result<> LayerImport::finish(const LayerRecord& record) {
  CHECK(!state_->in_file);
  FinishedLayer layer;
  layer.record = record;
  Import::State& import = *state_->import;
  auto numbers = TRY(state_->writer->close(record.diff_id));
  Spool tree(import.store->layers);
  layer.tree = TRY(state_->tree.finish(numbers, import.objects.for_tree(), std::move(tree)));
  layer.recipe = TRY(state_->writer->finish());
  // Only so that the commit has less to wait for.
  static_cast<void>(layer.tree->start_writeback());
  static_cast<void>(layer.recipe->start_writeback());
  std::scoped_lock lock(state_->import->mutex);
  state_->import->finished.push_back(std::move(layer));
  return {};
}

}  // namespace lyr::store
