// SPDX-License-Identifier: Apache-2.0
// Makes an image archive consistent again after a mutation: digests, sizes and file names that are
// digests are put right, from the layers up, so that what lies behind those checks is reached.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace lyr::fuzz {

// The archive as a tar of its own; nothing when it cannot be read as a tar.
std::optional<std::string> repaired_archive(std::span<const std::byte> archive);

}  // namespace lyr::fuzz
