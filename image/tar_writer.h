// SPDX-License-Identifier: Apache-2.0
// Writes an archive of files and directories: ustar headers, and a pax extended header (IEEE Std
// 1003.1, "pax Interchange Format") before an entry that does not fit one. Times, owners and modes
// are fixed, so that the same content gives the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace lyr::image {

constexpr size_t tar_writer_block_bytes = 1 << 20;  // what the sink is given at once

// Not thread-safe; what fails once must not be asked again.
class TarWriter {
 public:
  explicit TarWriter(const store::ByteSink& sink);

  Result<> directory(std::string_view path);  // "blobs/"
  Result<> file(std::string_view path, std::string_view content);
  // A file of exactly `size` bytes, which come by write(). EIO: more or fewer came.
  Result<> begin_file(std::string_view path, uint64_t size);
  Result<> write(std::span<const std::byte> data);
  Result<> end_file();
  // The end of the archive, and all of it to the sink.
  Result<> finish();

 private:
  Result<> header(std::string_view path, char type, uint64_t size);
  Result<> put(std::span<const std::byte> data);
  Result<> pad(uint64_t size);
  Result<> flush();

  const store::ByteSink& sink_;
  std::vector<std::byte> block_;
  size_t filled_ = 0;
  uint64_t file_bytes_ = 0;  // of the file being written
  uint64_t left_ = 0;        // of it
};

}  // namespace lyr::image
