// SPDX-License-Identifier: Apache-2.0
// A way to cut file content into units that are kept once. To add one, write its next_cut in a file
// of its own and give it a row in store/analyze/schemes.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lyr::store {

// What is kept once.
enum class SchemeUnit : uint8_t { layer, file, chunk };

struct Scheme {
  const char* name;     // for --schemes and for programs: lower case, "fastcdc-64k"
  const char* summary;  // for people: "FastCDC, 64 KiB on average"
  SchemeUnit unit;

  // Of a scheme of chunks; zero in others.

  // The length of the first chunk of `data`, 1 to data.size(). `data` begins where the last chunk
  // ended and has at least chunk_bytes_max bytes unless the file ends with it. It must depend on
  // nothing but `data`. Called from one thread at a time.
  size_t (*next_cut)(std::span<const std::byte> data) = nullptr;
  size_t chunk_bytes_max = 0;  // at most scheme_chunk_bytes_max
  // A file of at most so many bytes is one chunk, whatever next_cut says; <= chunk_bytes_max.
  size_t whole_file_bytes_max = 0;
  bool zeros_are_holes = false;  // a chunk of zeros takes no space and is no chunk
  bool content_defined = false;  // next_cut reads the data: its speed is worth measuring
};

constexpr size_t scheme_chunk_bytes_max = 1 << 20;

std::span<const Scheme> all_schemes();
const Scheme* find_scheme(std::string_view name);  // nullptr: no such scheme

}  // namespace lyr::store
