// SPDX-License-Identifier: Apache-2.0
// Content-defined chunking: FastCDC (Xia et al., USENIX ATC 2016; two bytes a step, 2020) with
// chunks of 16, 64 and 256 KiB at least, on average and at most. The same bytes are cut at the same
// places wherever they stand.
#pragma once

#include <cstddef>
#include <span>

namespace lyr::store {

constexpr size_t chunk_bytes_min = 16 << 10;
constexpr size_t chunk_bytes_average = 64 << 10;
constexpr size_t chunk_bytes_max = 256 << 10;

// The length of the first chunk of `data`: data.size() when no cut is found before its end, so give
// it at least chunk_bytes_max bytes unless the file ends with them.
size_t first_chunk(std::span<const std::byte> data);

}  // namespace lyr::store
