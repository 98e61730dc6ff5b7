// SPDX-License-Identifier: Apache-2.0
// What an Import and its layers share while they write.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "store/import_leases.h"
#include "store/import_objects.h"
#include "store/layer_batch.h"
#include "store/pack.h"
#include "store/reuse.h"
#include "store/spool.h"
#include "store/store_state.h"

namespace lyr::store {

// A layer that was read whole and checked, waiting for the commit.
struct FinishedLayer {
  LayerRecord record;
  // Until they have their names: a commit may fail after that, and be tried again.
  std::optional<Spool> recipe;
  std::optional<Spool> tree;
};

struct BlobImport::State {
  Fd file;  // unnamed
  Sha256 hasher;
  Digest digest;  // once finished
  uint64_t bytes = 0;
  uint64_t flushed = 0;  // how much of it is on its way to the disk
};

// A blob that was read whole and checked, waiting for the commit.
struct FinishedBlob {
  LayerBlob blob;
  Fd file;
};

struct Import::State {
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  std::shared_ptr<Store::State> store;
  ImportLeases leases;
  ImportObjects objects;  // has its own mutex

  PackWrites writes;
  std::mutex mutex;  // guards all below
  std::optional<PackWriter> writer;
  std::vector<PackRecord> sealed;
  std::vector<std::shared_ptr<const Fd>> sealed_files;  // locked, or a sweep would take them
  std::vector<FinishedLayer> finished;
  std::vector<FinishedBlob> blobs;
  std::vector<Piece> pieces;  // of the batch that is being put

  State(std::shared_ptr<Store::State> in, Leases held)
      : store(std::move(in)), leases(*store->catalog, std::move(held)), objects(store->layers) {}

  // Keeps the batch's objects, unless the store or this import has them, and notes where they are
  // (or that the store had them) and when they can be read. Thread-safe; what layers side by side
  // put stays apart, a batch each. Whatever it returns, the batch's data stays where it is until
  // these writes are finished.
  Result<> put(LayerBatch& batch);
  Result<> seal();  // mutex held

 private:
  Result<ImportObject> put(const ObjectId& object, std::span<const std::byte> data,
                           const Piece* piece);
  Result<> look_for_pieces(LayerBatch& batch);
  Result<> put_objects(LayerBatch& batch);
  bool is_in_store(const ObjectId& object, std::span<const std::byte> data);
};

}  // namespace lyr::store
