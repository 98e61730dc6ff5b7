// SPDX-License-Identifier: Apache-2.0
// hot/: whole files of images, for copy-up to share blocks with (FICLONE) where the file system
// can: chunks in packs do not lie on block boundaries, so nothing can be shared with those. Each
// file is named by its content. All of them are disposable: nothing needs one, any may go at any
// moment, and what cannot be made or used is as if it were not there.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "store/tree.h"

namespace lyr::store {

// Smaller files are copied in the time that making one takes (docs/performance.md).
constexpr uint64_t hot_bytes_min = 1 << 20;

// The name of a file's copy: a digest of its size, and of its extents, whose objects are named by
// their SHA-256. Files of the same content were cut alike, in whatever image they are.
Digest hot_name(const Tree& tree, Ino ino);

// Thread-safe; several processes may have one store's at once. No call waits for another.
class HotFiles {
 public:
  // How much there may be, by the files' sizes. What is more goes, the longest unused first.
  struct Limits {
    uint64_t bytes_max = 1 << 30;
    uint64_t free_divisor = 10;  // and no more than this part of the space that is free
  };

  // `store`, the store's directory, outlives it. Nothing is made there before there is a file.
  explicit HotFiles(const Fd& store) : HotFiles(store, Limits()) {}
  HotFiles(const Fd& store, Limits limits) : store_(store), limits_(limits) {}

  // Makes `to`, a new and empty file, share the blocks of the copy. False: there is none that is
  // whole, or `to` lies elsewhere; `to` is empty then.
  bool clone_to(const Tree& tree, Ino ino, const Fd& to);
  // Keeps a copy that shares the blocks of `whole`, which has the file's content and which
  // clone_to() has refused. Returns when it is on disk, or could not be made.
  void keep(const Tree& tree, Ino ino, const Fd& whole);

  // What there is, by name, and the blocks of each in bytes: as du counts, which does not see what
  // is shared. What has no name of a copy is left out.
  Result<std::map<Digest, uint64_t>> files() const;
  // For reading, if it is what keep() made. ENOENT: there is none; EUCLEAN: it was changed since.
  Result<Fd> open(const Digest& name, uint64_t size) const;
  void remove(const Digest& name) const;

 private:
  enum class Reflinks : uint8_t { unknown, none, some };

  bool has_reflinks(const Fd& to);
  Result<> try_clone(const Digest& name, uint64_t size, const Fd& to) const;
  Result<> try_keep(const Digest& name, uint64_t size, const Fd& whole) const;
  Result<Fd> open_directory() const;
  using FileSink = std::function<void(const std::string& file, const struct stat& status)>;
  Result<> each_file(const FileSink& each) const;
  Result<uint64_t> budget_bytes() const;
  void trim(uint64_t budget) const;

  const Fd& store_;
  Limits limits_;
  std::atomic<Reflinks> reflinks_ =
      Reflinks::unknown;  // of the store's and the uppers' file system
};

}  // namespace lyr::store
