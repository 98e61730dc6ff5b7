// SPDX-License-Identifier: Apache-2.0
// A second reader of tars, to compare with.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "fuzz/seen_entry.h"

namespace lyr::fuzz {

// libarchive's entries; nothing when it refuses the tar or warns of anything in it.
std::optional<std::vector<SeenEntry>> read_by_libarchive(std::span<const std::byte> tar);

}  // namespace lyr::fuzz
