// SPDX-License-Identifier: Apache-2.0
// Decompression in this process, never through a pipe or a program found in a PATH: gzip (RFC 1952,
// all members) by ISA-L, zstd (RFC 8878, all frames, skippable ones too) by libzstd. Every byte of
// the input is read, so a digest over it covers the whole blob.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "image/byte_stream.h"

namespace lyr::image {

enum class Compression : uint8_t { none, gzip, zstd };

// What a decompression bomb runs into. A gigabyte of zeros is no bomb (it costs time, and no space
// in the store), so the ratio counts only past a size that real layers rarely have.
struct DecodeLimits {
  uint64_t bytes_max = uint64_t{256} << 30;
  uint64_t bytes_unquestioned = uint64_t{4} << 30;
  uint64_t ratio_max = 256;
};

struct Decoded {
  std::unique_ptr<ByteReader> reader;
  Compression compression = Compression::none;
};

// Looks at the first bytes of `input` and gives a reader of what they stand for. Reading fails with
// EBADMSG for damaged data, EFBIG past a limit. EPROTONOSUPPORT: bzip2 or xz.
Result<Decoded> open_decoded(std::unique_ptr<ByteReader> input, const DecodeLimits& limits = {});

std::unique_ptr<ByteReader> make_gzip_reader(std::unique_ptr<ByteReader> input,
                                             const DecodeLimits& limits);
std::unique_ptr<ByteReader> make_zstd_reader(std::unique_ptr<ByteReader> input,
                                             const DecodeLimits& limits);

// EFBIG when `produced` bytes from `consumed` go past a limit.
Result<> check_expansion(uint64_t consumed, uint64_t produced, const DecodeLimits& limits);

constexpr size_t decode_input_bytes = 256 << 10;

}  // namespace lyr::image
