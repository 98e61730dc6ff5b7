// SPDX-License-Identifier: Apache-2.0
// The lower side: what the union shows until something is changed. Nothing in it changes while it
// is in use. It has two forms: an image's tree, known whole, and a stack of plain directories, of
// which is known what was looked at. An inode number is given once and means one object for good.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "store/store.h"
#include "store/tree.h"
#include "unionfs/shared_fd.h"

namespace lyr::unionfs {

using store::Ino;
using store::no_entry;
using store::no_ino;
using store::root_ino;

// Not thread-safe, but for read, next_data and next_hole: the union's lock guards it. Inode numbers
// that are given to it must come from it; root_ino is known from the start.
class Lower {
 public:
  virtual ~Lower() = default;

  // Directories. What is in one may be asked once load() of it was done, which may block.
  virtual Result<> load(Ino directory) = 0;
  virtual uint32_t entry_count(Ino directory) const = 0;
  // In a fixed order; index < entry_count(directory). The text stays where it is.
  virtual std::string_view entry_name(Ino directory, uint32_t index) const = 0;
  virtual uint32_t find(Ino directory, std::string_view name) const = 0;  // no_entry when absent
  virtual Result<Ino> entry_ino(Ino directory, uint32_t index) = 0;
  bool has(Ino directory, std::string_view name) const { return find(directory, name) != no_entry; }
  Result<Ino> lookup(Ino directory, std::string_view name);  // no_ino when absent
  // Before load() too.
  virtual size_t entries_expected(Ino directory) const = 0;  // about as many
  virtual Ino parent(Ino directory) const = 0;               // the root's is the root
  virtual std::string_view name(Ino directory) const = 0;    // in its parent; the root has none

  // Objects.
  virtual uint32_t type(Ino ino) const = 0;    // S_IFMT bits
  virtual uint64_t number(Ino ino) const = 0;  // st_ino
  virtual uint32_t links(Ino ino) const = 0;   // st_nlink
  virtual struct stat status(Ino ino) const = 0;
  virtual Result<std::string> symlink_target(Ino ino) = 0;
  virtual Result<std::vector<std::string>> xattr_names(Ino ino) = 0;
  virtual Result<std::optional<std::string>> xattr(Ino ino, const std::string& name) = 0;
  // FS_*_FL of linux/fs.h; 0: none, or its file system keeps none. Of those that protect it alone:
  // it need not be opened.
  virtual Result<uint32_t> flags(Ino ino) = 0;
  virtual Result<uint32_t> protection(Ino ino) = 0;
  // All names of a file whose st_nlink is above 1. May have to look for them, and block.
  virtual Result<std::vector<store::TreeAlias>> aliases(Ino ino) = 0;
  virtual bool knows_aliases(Ino ino) const = 0;  // they are all known

  // The st_ino of an object of the upper side that was never in the lower one.
  virtual uint64_t upper_number(dev_t device, ino_t upper_ino) const = 0;
  // Whether `number` can be the st_ino that a copied-up object of this type had.
  virtual bool may_be(uint64_t number, uint32_t type) const = 0;
  virtual Result<struct statvfs> statfs() const = 0;

  // A file's content: a descriptor to read it from, or null: then what follows gives it.
  virtual Result<SharedFd> file(Ino ino) = 0;
  // Fewer bytes than asked only at the end of the file. Blocks.
  virtual Result<size_t> read(Ino ino, uint64_t offset, std::span<std::byte> data) const;
  // The next byte at or after `offset` that is data (in a hole); the file's size when none is.
  virtual uint64_t next_data(Ino ino, uint64_t offset) const;
  virtual uint64_t next_hole(Ino ino, uint64_t offset) const;
  // Makes `to`, a new file, share the blocks of all the content, with a copy that keep_copy() was
  // given, by whomever. False: there is none that it can share with, and `to` is empty.
  virtual bool clone_into(Ino ino, const Fd& to) const;
  // `copy` has all the content: others may share its blocks as they are now. Blocks.
  virtual void keep_copy(Ino ino, const Fd& copy) const;
};

// An image tree and the store that has its content; both outlive it.
std::unique_ptr<Lower> lower_from_tree(const store::Store& store, const store::Tree& tree);

// Plain directories, the first on top, merged as overlayfs merges them. Of whiteouts, all forms
// count: device 0:0, overlay.whiteout, and ".wh." names. The directories must not change.
struct DirectoryStack {
  static constexpr size_t layers_max = 500;  // overlayfs's
  std::vector<Fd> layers;
  bool follow_redirects = true;  // false: a directory that has one is EPERM
  // Of these no name shows: they have the content of the layers' files that were made without it
  // (metacopy) and say by an absolute redirect where it is.
  std::vector<Fd> data_layers;
  bool user_marks = false;  // marks are "user.overlay.": such files may say so by those
};
Result<std::unique_ptr<Lower>> lower_from_directories(DirectoryStack stack);

// The directory `path` names, from the root of the lower, following no symlinks; no_ino when it is
// not there or not a directory. "." and ".." are not names.
Result<Ino> lower_directory_at(Lower& lower, std::string_view path);
// The absolute path of a lower directory.
std::string lower_path(const Lower& lower, Ino directory);

}  // namespace lyr::unionfs
