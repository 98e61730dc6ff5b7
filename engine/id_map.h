// SPDX-License-Identifier: Apache-2.0
// The id map every container of this user gets; LYR_SINGLE_ID=1 forces the one-id form.
#pragma once

#include "sandbox/sandbox.h"
#include "unionfs/ids.h"

namespace lyr::engine {

Result<sandbox::ChosenIdMap> choose_map();
// From the container's ids to the host's.
unionfs::Ids host_ids(const sandbox::IdMap& map);
// The container's.
unionfs::MappedIds mapped_ids(const sandbox::IdMap& map);

}  // namespace lyr::engine
