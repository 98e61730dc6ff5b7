// SPDX-License-Identifier: Apache-2.0
// One layer of an archive or layout into an import: read, decompressed, verified, written.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "image/blob_source.h"
#include "image/plan.h"
#include "image/progress.h"
#include "store/store.h"

namespace lyr::image {

// Asked now and then while a layer is read: true ends it, with ECANCELED.
using GivenUp = std::function<bool()>;

// Thread-safe: layers may be loaded side by side.
class LayerLoader {
 public:
  // All outlive it. `keep_blobs`: compressed layers stay as they came, too.
  LayerLoader(store::Import& import, const BlobSource& source, ProgressMeter& meter,
              bool keep_blobs)
      : import_(import), source_(source), meter_(meter), keep_blobs_(keep_blobs) {}

  // Nothing to do when the store has the layer, and its blob if that is wanted. EBADMSG names it
  // when it is not what it should be.
  Result<> load(const PlannedLayer& layer, const GivenUp& given_up);
  // The same of a layer that the store has, but may have damaged: all of it is read, and what is
  // not here whole is written. Its blob is left as it is.
  Result<> load_again(const PlannedLayer& layer);

 private:
  // The layer's size in the archive; nothing when it is not there.
  Result<std::optional<uint64_t>> size_of(const PlannedLayer& layer);
  // What a failed `outcome` is due to.
  Result<> explain(Result<> outcome, const PlannedLayer& layer, const GivenUp& given_up);
  Result<bool> wants_blob(const PlannedLayer& layer);
  Result<> import_layer(const PlannedLayer& layer, uint64_t bytes, bool keep,
                        const GivenUp& given_up);
  Result<> import_blob(const PlannedLayer& layer, uint64_t bytes, const GivenUp& given_up);
  Result<std::unique_ptr<ByteReader>> open(const PlannedLayer& layer, const GivenUp& given_up);
  Result<> verify(const PlannedLayer& layer, const GivenUp& given_up);

  store::Import& import_;
  const BlobSource& source_;
  ProgressMeter& meter_;
  bool keep_blobs_;
};

}  // namespace lyr::image
