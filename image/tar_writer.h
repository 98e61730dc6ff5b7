// SPDX-License-Identifier: Apache-2.0
// Writes a tar archive: ustar headers, and a pax extended header (IEEE Std 1003.1, "pax Interchange
// Format") before an entry that does not fit one. The same entries give the same bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/tar_entry.h"
#include "store/store.h"

namespace lyr::image {

constexpr size_t tar_writer_block_bytes = 1 << 20;  // what the sink is given at once

// Not thread-safe; what fails once must not be asked again.
class TarWriter {
 public:
  explicit TarWriter(const store::ByteSink& sink);

  // Of root's, with usual modes and the time 0.
  Result<> directory(std::string_view path);  // "blobs/"
  Result<> file(std::string_view path, std::string_view content);
  // A file of exactly `size` bytes, which come by write(). EIO: more or fewer came.
  Result<> begin_file(std::string_view path, uint64_t size);
  Result<> write(std::span<const std::byte> data);
  Result<> write_zeros(uint64_t count);
  Result<> end_file();
  // A member as TarReader gives it. A file's content follows, entry.size bytes as with
  // begin_file(); of a sparse one only what its segments name, entry.stored_bytes in all.
  Result<> begin(const TarEntry& entry);
  // The end of the archive, and all of it to the sink.
  Result<> finish();

 private:
  Result<> begin_sparse(const TarEntry& entry);
  Result<> header(const TarEntry& entry, std::string records = "");
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
