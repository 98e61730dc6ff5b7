// SPDX-License-Identifier: Apache-2.0
// The only list of schemes: the classic ones, what lyr itself does, and a vector chunker. The order
// is that of the tables and charts.
#include <algorithm>
#include <array>

#include "store/analyze/scheme.h"
#include "store/analyze/vram.h"
#include "store/chunker.h"
#include "store/object.h"

namespace lyr::store {
namespace {

template <size_t bytes>
size_t fixed_cut(std::span<const std::byte> data) {
  return std::min(data.size(), bytes);
}

template <size_t bytes>
constexpr Scheme fixed(const char* name, const char* summary) {
  return {.name = name,
          .summary = summary,
          .unit = SchemeUnit::chunk,
          .next_cut = fixed_cut<bytes>,
          .chunk_bytes_max = bytes};
}

template <size_t bytes_average>
size_t fastcdc_cut(std::span<const std::byte> data) {
  return first_chunk(data, chunk_rule(bytes_average));
}

template <size_t bytes_average>
constexpr Scheme fastcdc(const char* name, const char* summary) {
  return {.name = name,
          .summary = summary,
          .unit = SchemeUnit::chunk,
          .next_cut = fastcdc_cut<bytes_average>,
          .chunk_bytes_max = chunk_rule(bytes_average).bytes_max,
          .content_defined = true};
}

template <size_t bytes_average>
size_t vram_cut(std::span<const std::byte> data) {
  return vram_first_chunk(data, vram_rule(bytes_average));
}

template <size_t bytes_average>
constexpr Scheme vram(const char* name, const char* summary) {
  return {.name = name,
          .summary = summary,
          .unit = SchemeUnit::chunk,
          .next_cut = vram_cut<bytes_average>,
          .chunk_bytes_max = vram_rule(bytes_average).bytes_max,
          .content_defined = true};
}

constexpr auto schemes = std::to_array<Scheme>({
    {.name = "layer",
     .summary = "whole layers, as registries keep them",
     .unit = SchemeUnit::layer},
    {.name = "file", .summary = "whole files", .unit = SchemeUnit::file},
    fixed<4 << 10>("fixed-4k", "blocks of 4 KiB"),
    fixed<16 << 10>("fixed-16k", "blocks of 16 KiB"),
    fixed<64 << 10>("fixed-64k", "blocks of 64 KiB"),
    fixed<1 << 20>("fixed-1m", "blocks of 1 MiB"),
    fastcdc<8 << 10>("fastcdc-8k", "FastCDC, 2 to 32 KiB, 8 KiB on average"),
    fastcdc<16 << 10>("fastcdc-16k", "FastCDC, 4 to 64 KiB, 16 KiB on average"),
    fastcdc<64 << 10>("fastcdc-64k", "FastCDC, 16 to 256 KiB, 64 KiB on average"),
    fastcdc<256 << 10>("fastcdc-256k", "FastCDC, 64 KiB to 1 MiB, 256 KiB on average"),
    {.name = "lyr",
     .summary = "lyr's store: files up to 128 KiB whole, others as fastcdc-64k, zeros as holes",
     .unit = SchemeUnit::chunk,
     .next_cut = first_chunk,
     .chunk_bytes_max = chunk_bytes_max,
     .whole_file_bytes_max = whole_file_bytes_max,
     .zeros_are_holes = true,
     .content_defined = true},
    vram<16 << 10>("vram-16k", "VRAM (VectorCDC), 16 KiB on average, at most 64 KiB"),
    vram<64 << 10>("vram-64k", "VRAM (VectorCDC), 64 KiB on average, at most 256 KiB"),
});

}  // namespace

std::span<const Scheme> all_schemes() { return schemes; }

const Scheme* find_scheme(std::string_view name) {
  auto found = std::ranges::find(schemes, name, &Scheme::name);
  return found == schemes.end() ? nullptr : &*found;
}

}  // namespace lyr::store
