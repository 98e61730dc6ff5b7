// SPDX-License-Identifier: Apache-2.0
// Files, directories and whatever else a file system holds as members of a tar, one by one: what
// `lyr cp` and `lyr commit` have in common.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "image/tar_writer.h"
#include "unionfs/changes.h"

namespace lyr::engine {

// How much is kept of a file. `usual`: what tar keeps, with times in whole seconds. `exact`: all of
// it, with the extended attributes that a layer may have, and large holes as holes.
enum class Keep { usual, exact };

// As long as nothing stands still, what was to be packed may be something else by now, or no longer
// there (EXDEV: something is mounted on it).
bool may_be_left_out(const Error& error);

// Not thread-safe; what fails once must not be asked again, but for that.
class TarPacker {
 public:
  TarPacker(const Fd& tar, Keep keep);
  TarPacker(const TarPacker&) = delete;
  TarPacker& operator=(const TarPacker&) = delete;

  // What `base` in `parent` is, as `name`; of a directory not what is in it. `identity`: what is
  // the same file has the same; a further name of one that is there already is a hard link to that.
  // Nothing for sockets, which no tar can hold, and for what has just become something else. Of
  // what fails with an error that may_be_left_out() nothing was written, and others may follow.
  using Identity = std::pair<dev_t, ino_t>;
  using Owner = std::optional<unionfs::Owner>;  // none: as the file system says
  Result<> add(const Fd& parent, const std::string& base, const std::string& name,
               const struct stat& info, const Identity& identity, const Owner& owner = {});
  // An empty file of that name.
  Result<> add_empty(const std::string& name);
  Result<> finish() { return writer_.finish(); }

 private:
  Result<> begin(const image::TarEntry& entry, const Identity* named);
  Result<> add_attributes(const Fd& object, image::TarEntry& entry) const;
  Result<> add_file(const Fd& parent, const std::string& base, image::TarEntry entry,
                    const Identity* named, const Owner& owner);
  Result<> add_content(const Fd& file, uint64_t from, uint64_t to);
  Result<> add_sparse_content(const Fd& file, uint64_t size);
  Result<> add_segments(const Fd& file, const image::TarEntry& entry);

  store::ByteSink sink_;
  image::TarWriter writer_;
  Keep keep_;
  std::vector<std::byte> buffer_;
  std::map<Identity, std::string> names_;
};

}  // namespace lyr::engine
