// SPDX-License-Identifier: Apache-2.0
// What a test asks of a file system that can share blocks.
#pragma once

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/sys_file.h"

namespace lyr {

// Whether files in `directory` can share blocks.
inline bool has_reflinks(const std::string& directory) {
  auto where = sys::open(directory.c_str(), O_RDONLY | O_DIRECTORY);
  auto from = where ? sys::open_unnamed(*where, O_RDWR, 0600) : fail(ENOENT, "open");
  auto to = where ? sys::open_unnamed(*where, O_RDWR, 0600) : fail(ENOENT, "open");
  return from && to && sys::clone_content(*from, *to);
}

// How many bytes of the file are in blocks that others have, too; and how many in those of its own.
struct BlockShares {
  uint64_t shared = 0;
  uint64_t own = 0;
};
inline BlockShares block_shares(const std::string& path) {
  constexpr size_t extents_max = 4096;
  auto file = sys::open(path.c_str(), O_RDONLY);
  if (!file) return {};
  std::vector<uint64_t> room((sizeof(fiemap) + extents_max * sizeof(fiemap_extent)) / 8);
  auto* map = reinterpret_cast<fiemap*>(room.data());
  map->fm_length = FIEMAP_MAX_OFFSET;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = extents_max;
  BlockShares shares;
  if (::ioctl(file->get(), FS_IOC_FIEMAP, map) != 0) return shares;
  for (uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
    const fiemap_extent& extent = map->fm_extents[i];
    bool shared = (extent.fe_flags & FIEMAP_EXTENT_SHARED) != 0;
    (shared ? shares.shared : shares.own) += extent.fe_length;
  }
  return shares;
}

}  // namespace lyr
