// SPDX-License-Identifier: Apache-2.0
// Carries out a plan: every layer that the store lacks is read, verified and written; then all
// images become visible in one commit.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "image/load.h"
#include "image/plan.h"
#include "store/store.h"

namespace lyr::image {

Result<std::vector<Loaded>> load_plan(store::Store& store, const BlobSource& source,
                                      const Plan& plan, const Progress& progress, bool keep_blobs);

}  // namespace lyr::image
