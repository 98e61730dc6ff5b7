// SPDX-License-Identifier: Apache-2.0
// A container's changes as the tar of a layer (image-spec layer.md): `lyr commit` packs it inside
// the container, from what its programs see, so that it is the same however the union keeps them.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "unionfs/changes.h"

namespace lyr::engine {

// Takes off what no layer can say: a name that starts with ".wh." would mean that another is
// deleted. A sentence for each.
std::vector<std::string> drop_unspeakable(std::vector<unionfs::Change>& changes);

// Whose root directory it was.
struct RootOwner {
  mode_t permissions = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Writes the tar. Each path is looked at as it is now: what has gone meanwhile is left out, and so
// is what another file system shows (a volume). Files are whole, with zeros where they have holes.
// `before`: the root directory is among the changes when it is no longer that.
Result<> pack_layer(const Fd& root, std::span<const unionfs::Change> changes,
                    const RootOwner& before, const Fd& tar);

}  // namespace lyr::engine
