// SPDX-License-Identifier: Apache-2.0
#include "unionfs/copy_file.h"

#include <unistd.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/sys_file.h"

namespace lyr::unionfs {
namespace {

constexpr size_t buffer_bytes = 1 << 20;
constexpr size_t step_bytes_max = 1 << 30;  // of one copy_file_range

// Where the kernel copies nothing between the two file systems (EXDEV before Linux 5.19).
Result<> copy_through(const Fd& from, const Fd& to, uint64_t at, uint64_t end) {
  std::vector<std::byte> buffer(std::min<uint64_t>(buffer_bytes, end - at));
  while (at < end) {
    auto piece = std::span(buffer).first(std::min<uint64_t>(buffer.size(), end - at));
    size_t got = TRY(sys::pread(from, piece, at));
    if (got == 0) return fail(EIO, "copy-up");  // it has become shorter
    TRY(sys::pwrite_all(to, piece.first(got), at));
    at += got;
  }
  return {};
}

Result<> copy_range(const Fd& from, const Fd& to, uint64_t at, uint64_t end) {
  while (at < end) {
    size_t step = std::min<uint64_t>(step_bytes_max, end - at);
    auto copied = sys::copy_file_range(from, at, to, at, step);
    if (!copied && copied.error().code == ENOSPC) return fail(ENOSPC, "copy_file_range");
    // 0: /proc and its like give nothing that way.
    if (!copied || *copied == 0) return copy_through(from, to, at, end);
    at += *copied;
  }
  return {};
}

}  // namespace

Result<> copy_file(const Fd& from, const Fd& to, uint64_t size) {
  if (size > 0 && sys::clone_content(from, to)) return {};
  TRY(sys::truncate(to, size));
  for (uint64_t at = 0; at < size;) {
    auto data = sys::seek(from, at, SEEK_DATA);
    if (!data && data.error().code == ENXIO) break;  // a hole up to the end
    uint64_t begin = data ? *data : at;              // without such seeks, all is data
    auto hole = sys::seek(from, begin, SEEK_HOLE);
    uint64_t end = std::min(hole ? *hole : size, size);
    if (begin >= end) break;
    TRY(copy_range(from, to, begin, end));
    at = end;
  }
  return {};
}

}  // namespace lyr::unionfs
