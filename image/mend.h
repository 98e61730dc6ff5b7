// SPDX-License-Identifier: Apache-2.0
// Mends a damaged store with an archive that has the same images: each layer of it that the store
// knows is read again, and what of its objects, its recipe and its trees is not here whole is
// written anew. Nothing else of the archive comes in.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "image/progress.h"
#include "store/store.h"

namespace lyr::image {

// How many layers were read. EBADMSG names the blob or entry of the archive that is wrong. What was
// damaged still lies beside: store::Store::scrub() takes it away.
Result<size_t> mend_from_archive(store::Store& store, Fd archive, const Progress& progress);

}  // namespace lyr::image
