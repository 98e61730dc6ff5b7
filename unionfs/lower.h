// SPDX-License-Identifier: Apache-2.0
// The lower side: what the union shows until something is changed. Immutable, so every call may
// come from any thread and nothing read from it ever goes stale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "store/store.h"
#include "store/tree.h"

namespace lyr::unionfs {

using store::Ino;
using store::no_ino;
using store::root_ino;

class Lower {
 public:
  virtual ~Lower() = default;

  virtual uint32_t inode_count() const = 0;
  virtual store::TreeAttr attr(Ino ino) const = 0;
  virtual Ino parent(Ino directory) const = 0;
  virtual Ino lookup(Ino directory, std::string_view name) const = 0;  // no_ino when absent
  virtual uint32_t entry_count(Ino directory) const = 0;
  virtual store::TreeEntry entry(Ino directory, uint32_t index) const = 0;
  virtual std::string_view symlink_target(Ino ino) const = 0;
  virtual uint32_t xattr_count(Ino ino) const = 0;
  virtual store::TreeXattr xattr(Ino ino, uint32_t index) const = 0;
  // All names of an inode that has several; 0 when it has one.
  virtual uint32_t alias_count(Ino ino) const = 0;
  virtual store::TreeAlias alias(Ino ino, uint32_t index) const = 0;

  // Fewer bytes than asked only at the end of the file. Blocks.
  virtual Result<size_t> read(Ino ino, uint64_t offset, std::span<std::byte> data) const = 0;
  // The next byte at or after `offset` that is data (in a hole); the file's size when none is.
  virtual uint64_t next_data(Ino ino, uint64_t offset) const = 0;
  virtual uint64_t next_hole(Ino ino, uint64_t offset) const = 0;
};

// An image tree and the store that has its content; both outlive it.
std::unique_ptr<Lower> lower_from_tree(const store::Store& store, const store::Tree& tree);

// The directory `path` names, from the root of the lower, following no symlinks; no_ino when it is
// not there or not a directory. "." and ".." are not names.
Ino lower_directory_at(const Lower& lower, std::string_view path);
// The absolute path of a lower directory.
std::string lower_path(const Lower& lower, Ino directory);
// The name a directory has in its parent.
std::string_view lower_name(const Lower& lower, Ino directory);

}  // namespace lyr::unionfs
