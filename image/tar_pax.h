// SPDX-License-Identifier: Apache-2.0
// PAX extended header records (POSIX.1-2017 pax, "pax Extended Header"), with the keys that change
// an entry: POSIX's, SCHILY's and libarchive's xattrs, GNU's sparse files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "image/tar_entry.h"

namespace lyr::image {

struct PaxTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};

struct PaxSparse {
  std::optional<uint64_t> major;
  std::optional<uint64_t> minor;
  std::optional<std::string> name;
  std::optional<uint64_t> size;  // of the file: GNU.sparse.size or .realsize
  std::optional<uint64_t> segment_count;
  std::vector<SparseSegment> segments;  // formats 0.0 and 0.1
  bool pending_offset = false;          // 0.0: an offset waits for its length
  bool used = false;
};

struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link_path;
  std::optional<uint64_t> size;
  std::optional<int64_t> uid;
  std::optional<int64_t> gid;
  std::optional<PaxTime> mtime;
  std::optional<uint64_t> device_major;  // SCHILY.devmajor, star's and libarchive's
  std::optional<uint64_t> device_minor;
  std::vector<std::pair<std::string, std::string>> xattrs;  // no name twice
  PaxSparse sparse;
};

// EBADMSG with the reason as the subject.
Result<PaxRecords> parse_pax(std::string_view text);
// A global header: only keys that change no entry are let through, because tools disagree on what
// the others do.
Result<> check_global_pax(std::string_view text);

Result<PaxTime> parse_pax_time(std::string_view text);
// Decimal digits only; EBADMSG past INT64_MAX.
Result<uint64_t> parse_decimal(std::string_view text, const char* what);

}  // namespace lyr::image
