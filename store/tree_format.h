// SPDX-License-Identifier: Apache-2.0
// The bytes of a tree image (docs/formats.md, "tree"): a header and flat tables, all little-endian,
// each record of a fixed size so that a mapped file is used as it is.
#pragma once

#include <bit>
#include <cstdint>

#include "store/object.h"
#include "store/tree.h"

namespace lyr::store {

static_assert(std::endian::native == std::endian::little, "the store's formats are little-endian");

constexpr uint64_t tree_magic = 0x314545525452594c;  // "LYRTREE1"
constexpr uint32_t tree_version = 1;
constexpr uint32_t tree_records_max = 1u << 26;  // of any one table

// Flags of a TreeInodeRecord.
constexpr uint32_t inode_whiteout = 1;
constexpr uint32_t inode_opaque = 2;
constexpr uint32_t inode_implicit = 4;  // a parent that no entry of the layer described
constexpr uint32_t inode_link_away =
    8;  // a hard link to a path of a lower layer, which is `target`

struct TreeSection {
  uint64_t offset;
  uint64_t count;  // of records; of bytes for the strings
};

struct TreeHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t reserved;
  uint64_t file_bytes;
  uint64_t checksum;  // XXH3-64 of the file from `content_bytes` on
  uint64_t content_bytes;
  TreeSection inodes, entries, slots, xattrs, extents, objects, aliases, strings;
};
static_assert(sizeof(TreeHeader) == 168);
constexpr uint64_t tree_checksum_from = 32;

struct TreeInodeRecord {
  uint64_t size;
  int64_t mtime_seconds;
  uint32_t mtime_nanoseconds;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t nlink;
  uint32_t device_major;
  uint32_t device_minor;
  uint32_t flags;
  uint32_t parent;       // directories
  uint32_t first;        // entries of a directory, extents of a file, string offset of a target
  uint32_t count;        // how many, or the target's length
  uint32_t slots_first;  // directories: their part of the hash table
  uint32_t slots_log2;   // its size is 1 << slots_log2; directories without entries have none
  uint32_t xattr_first;
  uint32_t xattr_count;
  uint32_t alias_first;
  uint32_t alias_count;
  uint32_t reserved;
};
static_assert(sizeof(TreeInodeRecord) == 88);

struct TreeEntryRecord {
  uint32_t name;  // string offset
  uint32_t name_bytes;
  uint32_t ino;
  uint32_t hash;  // low half of XXH3-64 of the name
};

struct TreeXattrRecord {
  uint32_t name;
  uint32_t name_bytes;
  uint32_t value;
  uint32_t value_bytes;
};

struct TreeExtentRecord {
  uint64_t file_offset;
  uint64_t length;
  uint32_t object;  // index
  uint32_t object_offset;
};

struct TreeObjectRecord {
  uint8_t sha256[32];
  uint64_t xxh3_low;
  uint64_t xxh3_high;
};

struct TreeAliasRecord {
  uint32_t directory;
  uint32_t name;
  uint32_t name_bytes;
};

uint32_t tree_name_hash(std::string_view name);

}  // namespace lyr::store
