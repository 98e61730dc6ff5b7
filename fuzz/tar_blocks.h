// SPDX-License-Identifier: Apache-2.0
// A tar as blocks, for those who change it: so that a mutation gets past the headers' checksums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace lyr::fuzz {

// Puts the checksum of every block right that looks like a ustar or GNU header. False: all were.
bool put_checksums_right(std::span<std::byte> tar);

}  // namespace lyr::fuzz
