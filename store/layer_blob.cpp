// SPDX-License-Identifier: Apache-2.0
// Layers' compressed forms, kept exactly as they came: in by Import::keep_blob, out by
// Store::write_layer_blob. A blob has no name until its import commits.
#include <algorithm>

#include "base/check.h"
#include "base/sys_file.h"
#include "store/import_state.h"

namespace lyr::store {
namespace {

constexpr uint64_t flush_step_bytes = 8 << 20;
constexpr size_t read_step_bytes = 256 << 10;

bool is_whole(const Store::State& store, const LayerRecord& layer) {
  auto status = sys::stat_at(store.blobs, blob_name(layer.blob_digest).c_str());
  return status && static_cast<uint64_t>(status->st_size) == layer.blob_bytes;
}

}  // namespace

BlobImport::BlobImport(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobImport::BlobImport(BlobImport&&) noexcept = default;
BlobImport& BlobImport::operator=(BlobImport&&) noexcept = default;
BlobImport::~BlobImport() = default;

Result<> BlobImport::write(std::span<const std::byte> data) {
  CHECK(state_->digest.is_zero());
  TRY(about(sys::write_all(state_->file, data), "blob"));
  state_->hasher.update(data);
  state_->bytes += data.size();
  if (state_->bytes - state_->flushed < flush_step_bytes) return {};
  // Only so that the commit has less to wait for.
  uint64_t length = state_->bytes - state_->flushed;
  static_cast<void>(sys::start_writeback(state_->file, state_->flushed, length));
  state_->flushed = state_->bytes;
  return {};
}

Digest BlobImport::finish() {
  CHECK(state_->digest.is_zero());
  state_->digest = state_->hasher.finish();
  return state_->digest;
}

Result<bool> Import::has_blob(const Digest& diff_id) const {
  {
    std::scoped_lock lock(state_->mutex);
    auto same = [&](const FinishedBlob& finished) { return finished.blob.diff_id == diff_id; };
    if (std::ranges::any_of(state_->blobs, same)) return true;
  }
  auto record = TRY(state_->store->catalog->layer(diff_id));
  return record && record->blob_kept && is_whole(*state_->store, *record);
}

Result<BlobImport> Import::begin_blob() {
  auto blob = std::make_unique<BlobImport::State>();
  auto file = sys::open_unnamed(state_->store->blobs, O_RDWR, 0600);
  if (!file && file.error().code == EMFILE) {
    return fail_saying(EMFILE,
                       "too many layers to keep the blobs of at once: load fewer images, "
                       "or raise `ulimit -n`");
  }
  blob->file = TRY(about(std::move(file), "blob"));
  return BlobImport(std::move(blob));
}

Result<> Import::keep_blob(const Digest& diff_id, BlobImport blob, const std::string& media_type) {
  CHECK(!blob.state_->digest.is_zero());
  FinishedBlob finished;
  finished.blob = {.diff_id = diff_id,
                   .digest = blob.state_->digest,
                   .bytes = blob.state_->bytes,
                   .media_type = media_type};
  finished.file = std::move(blob.state_->file);
  std::scoped_lock lock(state_->mutex);
  state_->blobs.push_back(std::move(finished));
  return {};
}

Result<> Store::write_layer_blob(const LayerRecord& layer, const ByteSink& sink) const {
  std::string name = blob_name(layer.blob_digest);
  std::string whole_name = "blob " + layer.blob_digest.text();
  Fd file = TRY(about(sys::open_at(state_->blobs, name.c_str(), O_RDONLY), whole_name));
  std::vector<std::byte> block(read_step_bytes);
  Sha256 hasher;
  while (true) {
    size_t got = TRY(about(sys::read(file, block), whole_name));
    if (got == 0) break;
    auto piece = std::span<const std::byte>(block).first(got);
    hasher.update(piece);
    TRY(sink(piece));
  }
  if (hasher.finish() != layer.blob_digest) return fail(EIO, "damaged", whole_name);
  return {};
}

}  // namespace lyr::store
