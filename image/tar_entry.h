// SPDX-License-Identifier: Apache-2.0
// A member of a tar after all its headers have been read, and the limits on what it may say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/tree_builder.h"

namespace lyr::image {

constexpr size_t pax_bytes_max = 1 << 20;
constexpr size_t xattr_name_bytes_max = 255;       // XATTR_NAME_MAX
constexpr size_t xattr_value_bytes_max = 1 << 16;  // XATTR_SIZE_MAX
constexpr size_t sparse_segments_max = 1 << 18;
constexpr uint64_t file_bytes_max = uint64_t{16} << 40;  // ext4's
constexpr int64_t id_max = 0xffff'fffe;                  // -1 means "leave as it is" to chown

enum class TarType : uint8_t {
  file,
  hard_link,
  symlink,
  character_device,
  block_device,
  directory,
  fifo,
};

// A stored piece of a sparse file; what lies between pieces is holes.
struct SparseSegment {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool operator==(const SparseSegment&) const = default;
};

struct TarEntry {
  TarType type = TarType::file;
  std::string path;         // as written, without trailing slashes; never empty, no NUL
  std::string link_target;  // of hard_link and symlink
  store::NodeAttr attr;
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t size = 0;          // of the file, holes included
  uint64_t stored_bytes = 0;  // of its content in the tar
  bool sparse = false;
  std::vector<SparseSegment> segments;  // sorted, within size, lengths add up to stored_bytes
};

}  // namespace lyr::image
