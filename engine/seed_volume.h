// SPDX-License-Identifier: Apache-2.0
// A volume that is empty when a container is made begins with what the image has at the place where
// it is mounted, as docker's does.
#pragma once

#include <string>

#include "base/fd.h"
#include "sandbox/sandbox.h"
#include "store/store.h"
#include "store/tree.h"

namespace lyr::engine {

// Copies the image's directory at `destination` into `volume`/_data, its owner and mode included,
// when there is such a directory and the volume holds nothing. It shows the whole copy or none of
// it, whenever this ends. Blocks.
Result<> seed_volume(const store::Store& store, const store::Tree& image,
                     const std::string& destination, const Fd& volume, const sandbox::IdMap& map);

}  // namespace lyr::engine
